// Payloads of Sparkplug B as an edge node sends them, byte by byte (protobuf; field numbers of the specification).

const varint = (value) => {
  const bytes = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  while (rest >= 0x80n) {
    bytes.push(Number(rest & 0x7fn) | 0x80);
    rest >>= 7n;
  }
  return Buffer.from([...bytes, Number(rest)]);
};
const number = (field, value) => Buffer.concat([varint(field << 3), varint(value)]);
const bytes = (field, value) => Buffer.concat([varint((field << 3) | 2), varint(value.length), value]);

function double(field, value) {
  const raw = Buffer.alloc(8);
  raw.writeDoubleLE(value);
  return Buffer.concat([varint((field << 3) | 1), raw]);
}

const types = {
  Int32: [3, (value) => number(10, value >>> 0)],
  Int64: [4, (value) => number(11, value)],
  UInt64: [8, (value) => number(11, value)],
  Double: [10, (value) => double(13, value)],
  Boolean: [11, (value) => number(14, value ? 1 : 0)],
  String: [12, (value) => bytes(15, Buffer.from(value))],
  DataSet: [16, () => bytes(17, Buffer.from([0x08, 1]))],
};

/** {name?, alias?, type, value?, ts?}; without a value it is null. `untyped`: the birth has told the type. */
function metric({ name, alias, type, value, ts, untyped }) {
  const [code, encode] = types[type];
  return bytes(2, Buffer.concat([
    ...(name === undefined ? [] : [bytes(1, Buffer.from(name))]),
    ...(alias === undefined ? [] : [number(2, alias)]),
    ...(ts === undefined ? [] : [number(3, ts)]),
    ...(untyped ? [] : [number(4, code)]),
    value === undefined ? number(7, 1) : encode(value),
  ]));
}

/** A payload; `seq` undefined: none, as in an NDEATH. */
export function sparkplug({ seq, metrics = [], ts = Date.now() }) {
  return Buffer.concat([number(1, ts), ...metrics.map(metric), ...(seq === undefined ? [] : [number(3, seq)])]);
}
