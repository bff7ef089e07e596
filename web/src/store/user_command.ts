// user_command.ts: the command line that does something about a user.

import { shellQuote } from '../shell_line.ts';

export const kUserActions = ['add', 'passwd', 'disable', 'enable', 'list'] as const;
export type UserAction = (typeof kUserActions)[number];

export interface UserAsk {
  action: UserAction;
  user: string;
  account: string;
  roles: readonly string[];
  sites: readonly string[];
}

const kSafe = /^[A-Za-z0-9._@+,-]+$/;

export function userLine({ action, user, account, roles, sites }: UserAsk): string {
  const word = (text: string) => (kSafe.test(text) ? text : shellQuote(text));
  const parts = ['millstream user', action];
  if (action !== 'list') parts.push(word(user));
  if (action === 'add') {
    parts.push('--account', word(account), ...roles.flatMap((role) => ['--role', role]));
    if (sites.length > 0) parts.push('--sites', word(sites.join(',')));
  }
  return parts.join(' ');
}

export function isUserName(name: string): boolean { return /^[A-Za-z0-9._@+-]{1,64}$/.test(name); }
export function isName(name: string): boolean { return /^[A-Za-z0-9._-]{1,64}$/.test(name); }
export function namesOf(list: string): string[] { return list.split(',').map((each) => each.trim()).filter(Boolean); }
