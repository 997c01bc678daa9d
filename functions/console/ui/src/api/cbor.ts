// CBOR (RFC 8949), to send bytes as what they are: as base64 in JSON they are a third larger, and JSON is taken up to 1 MiB only.

/** Writes a value as JSON has it, and Uint8Array as bytes. What JSON.stringify leaves out is left out. */
export function cbor(value: unknown): Uint8Array<ArrayBuffer> {
  const out = new Writer();
  write(out, value);
  return out.bytes();
}

class Writer {
  private chunks: Uint8Array[] = [];
  private size = 0;

  put(bytes: Uint8Array): void {
    this.chunks.push(bytes);
    this.size += bytes.length;
  }

  /** The head of an item: its kind (major type), and a whole number. */
  head(kind: number, n: number): void {
    const major = kind << 5;
    if (n < 24) this.put(Uint8Array.of(major | n));
    else if (n < 0x100) this.put(Uint8Array.of(major | 24, n));
    else if (n < 0x10000) this.put(Uint8Array.of(major | 25, n >> 8, n & 255));
    else {
      const wide = n > 0xffff_ffff;
      const b = new DataView(new ArrayBuffer(wide ? 9 : 5));
      b.setUint8(0, major | (wide ? 27 : 26));
      if (wide) b.setBigUint64(1, BigInt(n));
      else b.setUint32(1, n);
      this.put(new Uint8Array(b.buffer));
    }
  }

  float(n: number): void {
    const b = new DataView(new ArrayBuffer(9));
    b.setUint8(0, 0xfb);
    b.setFloat64(1, n);
    this.put(new Uint8Array(b.buffer));
  }

  bytes(): Uint8Array<ArrayBuffer> {
    const out = new Uint8Array(this.size);
    let at = 0;
    for (const c of this.chunks) {
      out.set(c, at);
      at += c.length;
    }
    return out;
  }
}

function write(out: Writer, v: unknown): void {
  if (v === null || v === undefined) out.head(7, 22);
  else if (typeof v === 'boolean') out.head(7, v ? 21 : 20);
  else if (typeof v === 'number') number(out, v);
  else if (typeof v === 'string') {
    const text = new TextEncoder().encode(v);
    out.head(3, text.length);
    out.put(text);
  } else if (v instanceof Uint8Array) {
    out.head(2, v.length);
    out.put(v);
  } else if (Array.isArray(v)) {
    out.head(4, v.length);
    for (const item of v) write(out, item);
  } else {
    const pairs = Object.entries(v).filter(([, item]) => item !== undefined);
    out.head(5, pairs.length);
    for (const [k, item] of pairs) {
      write(out, k);
      write(out, item);
    }
  }
}

function number(out: Writer, n: number): void {
  if (!Number.isSafeInteger(n) || Object.is(n, -0)) out.float(n);
  else if (n < 0) out.head(1, -1 - n);
  else out.head(0, n);
}
