// Write a package.json with what run.mjs needs, in the versions of chaiNNer's lock file: node packages.mjs CHAINNER
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const names = ['@chainner/navi', 'esbuild', 'react', 'react-dom', 'reactflow', 'rregex', 'semver', 'uuid'];
const { packages } = JSON.parse(readFileSync(join(process.argv[2], 'package-lock.json'), 'utf-8'));
const version = (name) => packages[`node_modules/${name}`].version;
const dependencies = Object.fromEntries(names.map((name) => [name, version(name)]));
console.log(JSON.stringify({ private: true, dependencies }, null, 2));
