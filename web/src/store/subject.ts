// subject.ts: whom a credential stands for and what that one may do, as pages ask it.

import type { Who } from '../api.ts';

// "user:anna" is anna; the issuer of a token is left out.
export const nameOf = (subject: string): string => subject.replace(/^(?:user|token):(?:.*\|)?/, '');

export const mayOperate = (who: Who | undefined): boolean => has(who, 'operator') || has(who, 'admin');
export const mayAdmin = (who: Who | undefined): boolean => has(who, 'admin');

// What the server says to people names subjects and times as it keeps them.
export const saidToPeople = (detail: string, formatTime: (ms: number) => string): string =>
  detail
    .replace(/\b(?:user|token):\S+/g, nameOf)
    .replace(/\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z/g, (time) => formatTime(Date.parse(time)));

function has(who: Who | undefined, role: string): boolean { return who?.roles.includes(role) === true; }
