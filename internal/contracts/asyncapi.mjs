// Validates the AsyncAPI document with AsyncAPI's own parser: node asyncapi.mjs FILE
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';

// npx puts the parser's folder into PATH, not where import looks.
const [path] = process.env.PATH.split(':').filter((folder) => folder.endsWith('node_modules/.bin'));
const { Parser } = createRequire(pathToFileURL(path + '/../'))('@asyncapi/parser');
const file = process.argv[2];
const { document, diagnostics } = await new Parser().parse(readFileSync(file, 'utf8'), { source: file });
const errors = diagnostics.filter(({ severity }) => severity === 0);
for (const { path, message } of errors) console.error(`${path.join('/')}: ${message}`);
if (errors.length > 0 || !document) process.exit(1);
console.log(`${file}: valid, ${document.channels().all().length} channels, ${document.messages().all().length} messages`);
