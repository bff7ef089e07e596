// session.ts: who is signed in, in this tab and in the others.
//
// Flow     start() asks the server who this is. "in": the page runs. "out": nothing is sent until someone signs in, here or
//          in another tab; that tab says so on a BroadcastChannel, and lookAgain() is for where nobody heard it.
// Shapes   A session of a user is a cookie, which all tabs share and no script sees. A token belongs to one tab.
// Errors   a server that does not answer has refused nobody: the page starts, and its stream goes on trying.

import { batch, signal } from '@preact/signals';
import { ApiError, type Api, type Who } from './api.ts';
import { storedToken, storeToken } from './credential.ts';
import { parseTime } from './format.ts';

export const kChannel = 'millstream-session';
const kPauseS = 5;  // where the server asks for a pause and does not say how long

// Why nobody is signed in: not yet, or the credential ended, was not taken, or may not read.
export type Out = 'new' | 'ended' | 'refused' | 'forbidden';

// Why an attempt to sign in came to nothing.
export type Refusal =
  | { kind: 'wrong' | 'unreachable' }
  | { kind: 'wait'; untilMs: number }
  | { kind: 'failed'; detail: string };

export interface SessionListener {
  begin(same: boolean): void;  // same: whoever the values on the page are of, with the same right to see them
  end(): void;                 // nothing more may be sent; the values stay
  clear(): void;               // the values are of someone who has left
}

interface Message {
  what: 'signed-in' | 'signed-out';
  baseUrl: string;  // another server may live on this origin, under another path
}

export class Session {
  readonly state = signal<'asking' | 'in' | 'out'>('asking');
  readonly why = signal<Out>('new');
  readonly who = signal<Who | undefined>(undefined);         // while out: whose values are on the page
  readonly endsAtMs = signal<number | undefined>(undefined); // the server has said that the end is near
  readonly renewing = signal(false);                         // signing in again before the end
  readonly signOutFailed = signal(false);
  token = storedToken();

  private readonly channel = openChannel();
  private turn = 0;  // an answer to an earlier question does not count

  constructor(private readonly api: Api, private readonly listener: SessionListener) {
    if (this.channel) this.channel.onmessage = (event: MessageEvent<Partial<Message> | null>) => void this.hear(event.data);
  }

  start(): Promise<void> {
    return this.ask((who) => {
      if (who === 'nobody') this.leave(this.token === undefined ? 'new' : 'refused');
      else this.enter(who);
    });
  }

  stop(): void {
    ++this.turn;
    this.channel?.close();
  }

  // The cookie is shared by all tabs, so the tab's own token must not stand before it.
  async signIn(user: string, password: string): Promise<Refusal | undefined> {
    try {
      const who = await this.api.login(user, password);
      this.setToken(undefined);
      this.enter(who);
      this.tell('signed-in');
      return undefined;
    } catch (error) {
      return refusalOf(error);
    }
  }

  async useToken(token: string): Promise<Refusal | undefined> {
    if (!/^[\x21-\x7e]+$/.test(token)) return { kind: 'wrong' };  // cannot be in a header, and fetch would not say so
    try {
      const who = await this.api.me(token);
      this.setToken(token);
      this.enter(who);
      return undefined;
    } catch (error) {
      return refusalOf(error);
    }
  }

  async signOut(): Promise<void> {
    this.signOutFailed.value = false;
    if (this.token !== undefined) return this.forgetToken();
    try {
      await this.api.logout();
    } catch (error) {
      // 401: it had ended before.
      if (!(error instanceof ApiError && error.status === 401)) {
        this.signOutFailed.value = true;
        return;
      }
    }
    this.depart();
    this.tell('signed-out');
  }

  // The stream or a read was refused. What was already known to have ended stays so.
  refused(status: 401 | 403): void {
    if (this.state.value === 'in') this.leave(status === 403 ? 'forbidden' : 'ended');
  }

  expiring(nowMs: number): void {
    this.endsAtMs.value = parseTime(this.who.value?.expiresAt) ?? nowMs + 60_000;
  }

  // Someone may have signed in without this tab hearing of it.
  async lookAgain(): Promise<void> {
    if (this.state.value === 'out') await this.askForSomeone();
  }

  // The cookie may have become another's while the connection was away.
  async confirm(): Promise<void> {
    await this.ask((who) => {
      if (who === 'nobody') this.refused(401);
      else if (who && this.who.value && sightOf(who) !== sightOf(this.who.value)) this.enter(who);
      else if (who) this.who.value = who;
    });
  }

  // What the server lets this tab see; empty: not known.
  get sight(): string { return this.who.value ? sightOf(this.who.value) : ''; }

  // False in development mode, and where it is not known.
  get secured(): boolean {
    return this.token !== undefined || (this.who.value !== undefined && this.who.value.kind !== 'development');
  }

  // `take` is called with the answer (undefined: the server did not say), unless something newer is known by then.
  private async ask(take: (who: Who | 'nobody' | undefined) => void): Promise<void> {
    const turn = ++this.turn;
    let who: Who | 'nobody' | undefined;
    try {
      who = await this.api.me();
    } catch (error) {
      if (error instanceof ApiError && error.status === 401) who = 'nobody';
    }
    if (turn === this.turn) take(who);
  }

  private askForSomeone(): Promise<void> {
    return this.ask((who) => {
      if (typeof who === 'object') this.enter(who);
    });
  }

  private enter(who: Who | undefined): void {
    ++this.turn;
    const same = who !== undefined && this.who.value !== undefined && sightOf(who) === sightOf(this.who.value);
    this.api.closed = false;
    batch(() => {
      this.state.value = 'in';
      this.who.value = who;
      this.endsAtMs.value = undefined;
      this.renewing.value = this.signOutFailed.value = false;
      this.listener.begin(same);
    });
  }

  private leave(why: Out): void {
    ++this.turn;
    this.api.closed = true;
    batch(() => {
      this.setToken(undefined);  // it is of no more use
      this.state.value = 'out';
      this.why.value = why;
      this.endsAtMs.value = undefined;
      this.renewing.value = this.signOutFailed.value = false;
      this.listener.end();
    });
  }

  private depart(): void {
    batch(() => {
      this.leave('new');
      this.who.value = undefined;
      this.listener.clear();
    });
  }

  // There may be a cookie behind it, or a server that wants no credential.
  private async forgetToken(): Promise<void> {
    this.depart();
    this.state.value = 'asking';
    await this.start();
  }

  private setToken(token: string | undefined): void {
    this.token = token;
    storeToken(token);
  }

  private tell(what: Message['what']): void {
    this.channel?.postMessage({ what, baseUrl: this.api.baseUrl } satisfies Message);
  }

  private async hear(message: Partial<Message> | null): Promise<void> {
    if (message?.baseUrl !== this.api.baseUrl || this.token !== undefined) return;  // a token does not mind the cookie
    if (message.what === 'signed-out') return this.depart();
    if (this.state.value === 'asking') return this.start();  // what is being asked may already be otherwise
    await this.askForSomeone();
  }
}

// What is on the page may stay only for the same eyes, and only they share a stream.
function sightOf(who: Who): string {
  return JSON.stringify([who.subject, who.account, who.sites, who.devices]);
}

function refusalOf(error: unknown): Refusal {
  if (!(error instanceof ApiError) || [502, 504].includes(error.status)) return { kind: 'unreachable' };
  if (error.status === 401) return { kind: 'wrong' };
  if (error.status === 429 || error.status === 503) {
    return { kind: 'wait', untilMs: Date.now() + (error.retryAfterS ?? kPauseS) * 1000 };
  }
  return { kind: 'failed', detail: error.message };
}

function openChannel(): BroadcastChannel | undefined {
  return typeof BroadcastChannel === 'undefined' ? undefined : new BroadcastChannel(kChannel);
}
