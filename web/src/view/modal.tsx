// modal.tsx: a question before the page: nothing else can be reached until it is answered; Escape is "no", and the focus
// returns to where it was.

import type { ComponentChildren } from 'preact';
import { useId, useLayoutEffect, useRef } from 'preact/hooks';
import './modal.css';

interface Props {
  title: string;
  onClose: () => void;
  onSubmit: () => void;
  testId: string;
  children: ComponentChildren;  // what is asked, its buttons last
}

export function Modal({ title, onClose, onSubmit, testId, children }: Props) {
  const dialog = useRef<HTMLDialogElement>(null);
  const id = useId();
  // At once: a key that is pressed next is meant for the question.
  useLayoutEffect(() => {
    const before = document.activeElement;
    const shown = dialog.current!;
    shown.showModal();
    return () => {
      shown.close();  // while it is open, nothing behind it takes the focus
      if (before instanceof HTMLElement && before.isConnected) before.focus();
    };
  }, []);
  return (
    <dialog ref={dialog} class="modal" aria-labelledby={id} data-testid={testId} onCancel={(event) => { event.preventDefault(); onClose(); }}>
      <form onSubmit={(event) => { event.preventDefault(); onSubmit(); }}>
        <h2 id={id}>{title}</h2>
        {children}
      </form>
    </dialog>
  );
}
