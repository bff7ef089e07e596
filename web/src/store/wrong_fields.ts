// wrong_fields.ts: which field of a form the server found something wrong with.

import { ApiError } from '../api.ts';

// By field; under "": what is of none of them.
export type Wrongs = Record<string, string>;

// What a server that was not reached, or answers in no shape of its own, has said.
export function wrongsOf(error: unknown, fields: readonly string[], unreachable: string): Wrongs {
  if (!(error instanceof ApiError)) return { '': unreachable };
  const wrongs: Wrongs = {};
  for (const { path, reason } of error.errors) {
    const field = fieldOf(path, fields);
    wrongs[field] ??= field === '' ? `${path}: ${reason}` : reason;
  }
  if (Object.keys(wrongs).length > 0) return wrongs;
  const said = /^([A-Za-z]+)((?:[.[][^:\s]*)?:? )(.*)$/s.exec(error.message);
  const field = fieldOf(said?.[1] ?? '', fields);
  if (field === '') return { '': error.message };
  return { [field]: said![2] === ': ' ? said![3]! : error.message };
}

// "levels[0].value" is of "levels"; "topic \"…\" is not allowed" of "topics".
function fieldOf(path: string, fields: readonly string[]): string {
  const name = /^[A-Za-z]+/.exec(path)?.[0] ?? '';
  return fields.find((field) => field === name) ?? fields.find((field) => field === `${name}s`) ?? '';
}
