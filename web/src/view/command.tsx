// command.tsx: lines to copy.

import { useEffect, useState } from 'preact/hooks';
import { text } from '../text.ts';

interface ButtonProps {
  lines: string;
  of: () => Element | null | undefined;  // where the lines stand
  label?: string;
}

export function CopyButton({ lines, of, label = text.copy }: ButtonProps) {
  const [copied, setCopied] = useState<string>();
  useEffect(() => {
    if (copied === undefined) return;
    const timer = setTimeout(() => setCopied(undefined), 3_000);
    return () => clearTimeout(timer);
  }, [copied]);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(lines);
      setCopied(lines);
    } catch {
      // No clipboard without https: the text is selected instead, for the reader's own copy key.
      const block = of();
      if (block) getSelection()?.selectAllChildren(block);
    }
  };
  return <button type="button" onClick={() => void copy()}>{copied === lines ? text.copied : label}</button>;
}

export function Command({ lines, testId }: { lines: string; testId?: string }) {
  let block: Element | null = null;
  return (
    <div class="command">
      <pre tabIndex={0}><code data-testid={testId} ref={(element) => { block = element; }}>{lines}</code></pre>
      <CopyButton lines={lines} of={() => block} />
    </div>
  );
}
