// console_parts.tsx: what several pages are made of: a field with its error beside it.

import type { ComponentChildren } from 'preact';
import { useId } from 'preact/hooks';
import './console_parts.css';

export interface Described {
  id: string;
  'aria-describedby': string | undefined;
  'aria-invalid': true | undefined;
}

interface FieldProps {
  label: string;
  error?: string | undefined;
  hint?: string;
  class?: string;
  children: (described: Described) => ComponentChildren;
}

export function Field({ label, error, hint, class: name = '', children }: FieldProps) {
  const id = useId();
  const said = [error && `${id}-error`, hint && `${id}-hint`].filter(Boolean).join(' ');
  return (
    <div class={`form-field ${name}`}>
      <label for={id}>{label}</label>
      {children({ id, 'aria-describedby': said || undefined, 'aria-invalid': error ? true : undefined })}
      {error && <p class="refused" id={`${id}-error`} data-testid="field-error">{error}</p>}
      {hint && <p class="form-hint" id={`${id}-hint`}>{hint}</p>}
    </div>
  );
}

// Boxes to tick that belong together. `error` as for a field.
export function Choices({ label, error, class: name = '', children }: Omit<FieldProps, 'hint' | 'children'> & { children: ComponentChildren }) {
  const id = useId();
  return (
    <fieldset class={`form-field ${name}`} aria-describedby={error ? id : undefined}>
      <legend>{label}</legend>
      <div class="choices">{children}</div>
      {error && <p class="refused" id={id} data-testid="field-error">{error}</p>}
    </fieldset>
  );
}

export function Tick({ label, checked, onChange }: { label: string; checked: boolean; onChange: (checked: boolean) => void }) {
  return (
    <label class="tick">
      <input type="checkbox" checked={checked} onChange={(event) => onChange(event.currentTarget.checked)} />{label}
    </label>
  );
}
