// users_rights.tsx: the choice of what someone, or something, may do.

import type { Signal } from '@preact/signals';
import { Choices, Tick } from './console_parts.tsx';
import { words } from './users_text.ts';

interface Props {
  all: readonly string[];
  chosen: Signal<string[]>;  // some of them, in their order
  error: string | undefined;
}

export function Rights({ all, chosen, error }: Props) {
  const tick = (role: string, on: boolean) => { chosen.value = all.filter((each) => (each === role ? on : chosen.value.includes(each))); };
  return (
    <Choices label={words.roles} error={error}>
      {all.map((role) => <Tick key={role} label={words.roleNames[role]!} checked={chosen.value.includes(role)} onChange={(on) => tick(role, on)} />)}
    </Choices>
  );
}
