// csv.ts: a table of the server's, RFC 4180: quotes around what has commas, quotes or line ends in it.

export function parseCsv(source: string): string[][] {
  const rows: string[][] = [];
  let row: string[] = [];
  const cells = /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r?\n|$)/y;
  while (cells.lastIndex < source.length) {
    const found = cells.exec(source);
    if (!found) break;
    row.push(found[1] === undefined ? found[2]! : found[1].replaceAll('""', '"'));
    if (found[3] === ',') {
      if (cells.lastIndex === source.length) row.push('');
      else continue;
    }
    rows.push(row);
    row = [];
  }
  return rows;
}
