// One question from stdin as JSON, its answer to stdout as JSON.
import { readFileSync } from 'node:fs';
import { log } from 'chainner/common/log';
import startRegexes from 'rregex/lib/web';
import regexes from 'rregex/lib/rregex.wasm?url';

log.addTransport({ log: ({ message }) => console.error(String(message)) });

export const answer = async <Question,>(reply: (question: Question) => unknown): Promise<void> => {
    const question = JSON.parse(readFileSync(0, 'utf-8')) as Question;
    await startRegexes(regexes); // chaiNNer starts them too, but does not wait
    console.log(JSON.stringify(await reply(question)));
};
