// ask_first.tsx: a question before what cannot be undone.

import type { ComponentChildren } from 'preact';
import { text } from '../text.ts';
import { Modal } from './modal.tsx';

interface Props {
  title: string;
  action: string;
  busy: boolean;
  error?: string | undefined;
  children: ComponentChildren;
  onYes: () => void;
  onNo: () => void;
}

export function AskFirst({ title, action, busy, error, children, onYes, onNo }: Props) {
  return (
    <Modal title={title} testId="ask" onClose={onNo} onSubmit={onYes}>
      {children}
      {error && <p class="refused" role="alert">{error}</p>}
      <p class="buttons">
        <button type="button" onClick={onNo} data-testid="ask-no">{text.cancel}</button>
        <button type="submit" class="primary" disabled={busy} data-testid="ask-yes">{action}</button>
      </p>
    </Modal>
  );
}
