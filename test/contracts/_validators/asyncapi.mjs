// Validates an AsyncAPI document with AsyncAPI's own parser: node asyncapi.mjs FILE
import { readFileSync } from 'node:fs';
import { Parser } from '@asyncapi/parser';

const [file] = process.argv.slice(2);
const { document, diagnostics } = await new Parser().parse(readFileSync(file, 'utf8'), { source: file });
const errors = diagnostics.filter(({ severity }) => severity === 0);
for (const { path, message } of errors) console.error(`${path.join('/')}: ${message}`);
if (errors.length > 0 || !document) process.exit(1);
console.log(`${file}: valid, ${document.channels().all().length} channels, ${document.messages().all().length} messages`);
