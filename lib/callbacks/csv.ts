// Comma-separated values, RFC 4180 but for the separator and lines that end with "\n".

/** One line: fields with a separator, a quote or a line break are quoted. */
export function csvLine(fields: readonly (string | number)[], separator: string): string {
  const text = (field: string | number) => {
    const plain = String(field);
    return plain.includes(separator) || /["\r\n]/.test(plain) ? `"${plain.replaceAll('"', '""')}"` : plain;
  };
  return `${fields.map(text).join(separator)}\n`;
}

/** The fields of the first line of a text. */
export function firstLine(text: string, separator: string): string[] {
  const fields = [''];
  let quoted = false;
  for (let i = 0; i < text.length; i++) {
    const character = text[i];
    if (quoted && character === '"' && text[i + 1] === '"') {
      fields[fields.length - 1] += '"';
      i++;
    } else if (character === '"') quoted = !quoted;
    else if (!quoted && character === separator) fields.push('');
    else if (!quoted && (character === '\n' || character === '\r')) break;
    else fields[fields.length - 1] += character;
  }
  return fields;
}
