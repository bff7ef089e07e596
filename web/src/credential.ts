// credential.ts: the token of this tab. Kept in sessionStorage only, so that it ends with the tab.

const kKey = 'millstream.token';
let kept: string | undefined;  // where storage is forbidden, as long as the page

export function storedToken(): string | undefined {
  try {
    return sessionStorage.getItem(kKey) ?? kept;
  } catch {
    return kept;
  }
}

export function storeToken(token: string | undefined): void {
  kept = token;
  try {
    if (token === undefined) sessionStorage.removeItem(kKey);
    else sessionStorage.setItem(kKey, token);
  } catch {
    // `kept` has it
  }
}
