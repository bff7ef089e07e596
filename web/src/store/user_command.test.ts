import { expect, it } from 'vitest';
import { isName, isUserName, namesOf, userLine } from './user_command.ts';

const ask = { user: 'anna@site.example', account: 'acme', roles: ['viewer', 'operator'], sites: ['north', 'south'] };

it.each([
  ['add', 'millstream user add anna@site.example --account acme --role viewer --role operator --sites north,south'],
  ['passwd', 'millstream user passwd anna@site.example'],
  ['list', 'millstream user list'],
] as const)('says how to %s', (action, line) => {
  expect(userLine({ ...ask, action })).toBe(line);
});
it('lets nothing out of its word', () => {
  expect(userLine({ ...ask, action: 'disable', user: "a'; rm b" })).toBe("millstream user disable 'a'\\''; rm b'");
  expect([isUserName('anna@x+1'), isUserName('a b'), isName('north'), isName('a@b'), isName('')]).toEqual([true, false, true, false, false]);
  expect(namesOf(' a, ,b ')).toEqual(['a', 'b']);
});
