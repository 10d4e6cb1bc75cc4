// Run a script of this folder on chaiNNer's own TypeScript: node run.mjs CHAINNER MODULES SCRIPT < QUESTION
// CHAINNER is a checkout; MODULES a folder whose node_modules has what packages.mjs lists.
import { mkdtemp, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const [chainner, modules, script] = process.argv.slice(2);
const fromModules = createRequire(join(modules, 'index.js'));
const here = dirname(fileURLToPath(import.meta.url));
const folder = await mkdtemp(join(tmpdir(), 'chainner-'));

// Vite gives a URL where a file is imported with `?url`; here it is the file's bytes, which serve as well.
const bytesForUrls = {
    name: 'bytes for URLs',
    setup: ({ onResolve }) =>
        onResolve({ filter: /\.wasm\?url$/ }, ({ path }) => ({
            path: fromModules.resolve(path.replace(/\?url$/, '')),
        })),
};

try {
    const program = join(folder, 'program.cjs');
    await fromModules('esbuild').build({
        entryPoints: [join(here, script)],
        outfile: program,
        bundle: true,
        platform: 'node',
        format: 'cjs',
        alias: { chainner: join(chainner, 'src') },
        nodePaths: [join(modules, 'node_modules')],
        loader: { '.wasm': 'binary' },
        plugins: [bytesForUrls],
        logLevel: 'error',
    });
    await createRequire(import.meta.url)(program).done;
} finally {
    await rm(folder, { recursive: true });
}
