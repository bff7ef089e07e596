// key_parts.tsx: a key that was just made. Its text is nowhere but here, and is gone with the view.

import { useEffect, useRef } from 'preact/hooks';
import type { Api } from '../api.ts';
import { CopyButton } from '../view/command.tsx';

export interface Key {
  id: string;
  name: string;
  roles: string[];
  sites: string[] | null;
  devices: string[] | null;
  expiresAt: string | null;
  createdAt: string;
  createdBy: string | null;
  lastUsedAt: string | null;
  revoked: boolean;
}
export interface NewKey extends Key {
  key: string;
}

export function createKey(api: Api, body: { name: string; roles: string[]; sites?: string[]; devices?: string[]; expiresAt?: string }): Promise<NewKey> {
  return api.change('POST', '/api/keys', body);
}

export function Secret({ made, said }: { made: NewKey; said: string }) {
  const block = useRef<HTMLElement | null>(null);
  const box = useRef<HTMLDivElement | null>(null);
  useEffect(() => { box.current?.focus(); }, [made.key]);
  return (
    <div class="secret" tabIndex={-1} ref={box} role="status" data-testid="secret">
      <p>{said}</p>
      <p class="secret-key"><code ref={block} data-testid="secret-key">{made.key}</code><CopyButton lines={made.key} of={() => block.current} /></p>
    </div>
  );
}
