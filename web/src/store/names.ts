// names.ts: names with commas, as they are typed.

export function namesOf(list: string): string[] { return list.split(',').map((each) => each.trim()).filter(Boolean); }
