// users_text.ts: every word of the page of users and keys.

export const words = {
  title: 'Users & keys',
  onlyAdmins: (roles: string) => `Only admins see users and keys. You have ${roles}.`,
  noRoles: 'no role',
  unreachable: 'The server cannot be reached. Whether it has done this is not known; look at the list again.',

  keys: 'API keys',
  newKey: 'New key',
  ended: (count: number) => `Ended keys (${count})`,
  none: 'There are no keys yet. Devices and programs need one to send or to read.',
  name: 'Name', rights: 'Rights', lastUsed: 'Last used', ends: 'Ends', made: 'Made',
  states: { active: 'Active', ended: 'Ended', revoked: 'Revoked' },
  never: 'never', neverEnds: 'never',
  ago: (span: string) => `${span} ago`,
  inSpan: (span: string) => `in ${span}`,
  by: (who: string) => `by ${who}`,
  commandLine: 'the command line',
  everything: 'all sites',
  sitesAre: (names: string) => `sites ${names}`,
  devicesAre: (names: string) => `devices ${names}`,
  replace: 'Replace', revoke: 'Revoke',
  replaceOf: (name: string) => `Replace ${name}`,
  revokeOf: (name: string) => `Revoke ${name}`,

  roles: 'Rights',
  roleNames: {
    ingest: 'ingest: send points', publish: 'publish: alerts and messages', viewer: 'viewer: read', operator: 'operator: read, acknowledge, silence', admin: 'admin: everything',
  } as Record<string, string>,
  sites: 'Sites', devices: 'Devices',
  listHint: 'Names with commas; empty: all',
  keyNameHint: 'What it is for: “line 1”',
  expires: 'Ends',
  lives: { '': 'never', '7': 'in 7 days', '30': 'in 30 days', '90': 'in 90 days', '365': 'in a year' } as Record<string, string>,
  create: 'Create key',
  created: (name: string) => `The key “${name}”. It is shown this once and cannot be had again: keep it where only its device can read it.`,
  replaced: (name: string, until: string) => `The new key “${name}”. It is shown this once and cannot be had again. ${until}`,
  oldGoesOn: (overlap: string) => `The old one goes on for ${overlap}.`,
  oldEnded: 'The old one has ended.',
  done: 'I have kept it',

  askRevoke: (name: string) => `Revoke the key “${name}”?`,
  revokeWhat: 'Whatever uses it is refused from now on, and its open streams end. This cannot be undone.',
  usedLast: (when: string) => `It was last used ${when}.`,
  usedNever: 'It was never used.',
  revokeNow: 'Revoke key',
  askReplace: (name: string) => `Replace the key “${name}”?`,
  replaceWhat: 'A new key with the same name and rights is made. Give it to the device while the old one still works.',
  overlap: 'The old key goes on for',
  overlaps: { '0s': 'no time: it ends at once', '1h': '1 hour', '24h': '1 day', '7d': '7 days', '30d': '30 days' } as Record<string, string>,
  replaceNow: 'Make new key',

  users: 'Users',
  newUser: 'New user',
  noUsers: 'There are no users yet. Who has a key, or a token of your own sign-in, needs none.',
  you: 'you',
  added: 'Added',
  userStates: { active: 'Active', disabled: 'Disabled' },
  user: 'User',
  userHint: 'A name, or a mail address',
  addUser: 'Add user',
  newPassword: 'Password', again: 'Password once more',
  passwordHint: 'At least 8 characters',
  differ: 'The two are not the same',
  password: 'Password', disable: 'Disable', enable: 'Enable',
  passwordOf: (name: string) => `New password for ${name}`,
  disableOf: (name: string) => `Disable ${name}`,
  enableOf: (name: string) => `Enable ${name}`,
  userAsks: {
    password: (name: string) => `A new password for ${name}`,
    disable: (name: string) => `Disable ${name}?`,
    enable: (name: string) => `Enable ${name} again?`,
  },
  userWhat: {
    password: 'Whoever is signed in by that name is signed out within seconds.',
    disable: 'The user is signed out within seconds and cannot sign in until enabled again.',
    enable: 'The user can sign in again, with the password as it was.',
  },
  userDoes: { password: 'Set password', disable: 'Disable user', enable: 'Enable user' },
} as const;

// Where a right holds, in words.
export function reachOf({ sites, devices }: { sites: string[] | null; devices: string[] | null }): string {
  const parts = [sites && words.sitesAre(sites.join(', ')), devices && words.devicesAre(devices.join(', '))];
  return parts.filter(Boolean).join('; ') || words.everything;
}
