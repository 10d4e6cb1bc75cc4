// {description, file, values} -> what the app finds in a .chn file, and what it would send to the backend.
import type { BackendNodesResponse } from 'chainner/common/Backend';
import type { EdgeData, InputData, InputValue, NodeData } from 'chainner/common/common-types';
import { checkNodeValidity } from 'chainner/common/nodes/checkNodeValidity';
import { getConnectedInputs } from 'chainner/common/nodes/connectedInputs';
import { ChainLineage } from 'chainner/common/nodes/lineage';
import { optimizeChain } from 'chainner/common/nodes/optimize';
import { toBackendJson } from 'chainner/common/nodes/toBackendJson';
import { TypeState } from 'chainner/common/nodes/TypeState';
import { EMPTY_MAP } from 'chainner/common/util';
import { SaveFile } from 'chainner/main/SaveFile';
import type { Edge, Node } from 'reactflow';
import { loadNodes } from './nodes.mts';
import type { Nodes } from './nodes.mts';
import { answer } from './question.mts';

interface Asked {
    description: BackendNodesResponse;
    file: string;
    values: Record<string, Record<string, InputValue>>;
}

/** Fill in the defaults, then the values: by a node's id or schema id, then an input's id or label. */
const fill = ({ schemata }: Nodes, nodes: Node<NodeData>[], values: Asked['values']) => {
    for (const node of nodes) {
        const saved = Object.entries(node.data.inputData).filter(([, value]) => value != null);
        const defaults = schemata.getDefaultInput(node.data.schemaId);
        node.data = { ...node.data, inputData: { ...defaults, ...(Object.fromEntries(saved) as InputData) } };
    }
    for (const [nodeKey, inputs] of Object.entries(values)) {
        const named = nodes.filter(({ id, data }) => [id, data.schemaId].includes(nodeKey));
        if (named.length !== 1) throw new Error(`${named.length} nodes are called ${nodeKey}`);
        for (const [inputKey, value] of Object.entries(inputs)) {
            const schema = schemata.get(named[0].data.schemaId);
            const found = schema.inputs.filter((i) => [String(i.id), i.label].includes(inputKey));
            if (found.length !== 1) throw new Error(`${found.length} inputs of ${nodeKey} are called ${inputKey}`);
            named[0].data = { ...named[0].data, inputData: { ...named[0].data.inputData, [found[0].id]: value } };
        }
    }
};

const findInvalid = (loaded: Nodes, nodes: Node<NodeData>[], edges: Edge<EdgeData>[]) => {
    const { schemata, definitions, passthrough } = loaded;
    const byId = new Map(nodes.map((node) => [node.id, node]));
    const types = TypeState.create(byId, edges, EMPTY_MAP, EMPTY_MAP, definitions, passthrough);
    const chainLineage = new ChainLineage(schemata, nodes, edges);
    return nodes.flatMap(({ id, data }) => {
        const schema = schemata.get(data.schemaId);
        const validity = checkNodeValidity({
            schema,
            inputData: data.inputData,
            connectedInputs: getConnectedInputs(id, edges),
            functionInstance: types.functions.get(id),
            chainLineage,
            nodeId: id,
        });
        const error = types.evaluationErrors.get(id);
        const reason = error ? String(error) : validity.isValid ? undefined : validity.reason;
        return reason === undefined ? [] : [{ id, name: schema.name, reason }];
    });
};

export const done = answer(async ({ description, file, values }: Asked) => {
    const loaded = loadNodes(description);
    const saved = await SaveFile.read(file);
    const nodes = saved.nodes.filter((node) => loaded.schemata.has(node.data.schemaId));
    const ids = new Set(nodes.map((node) => node.id));
    const edges = saved.edges.filter((edge) => ids.has(edge.source) && ids.has(edge.target));
    fill(loaded, nodes, values);
    const chain = optimizeChain(nodes, edges, loaded.schemata, loaded.passthrough);
    return {
        tampered: saved.tamperedWith,
        unknown: saved.nodes.filter((node) => !ids.has(node.id)).map((node) => node.data.schemaId),
        deprecated: nodes.map((n) => n.data.schemaId).filter((id) => loaded.schemata.get(id).deprecated),
        unconnected: nodes.filter((n) => !chain.nodes.some(({ id }) => id === n.id)).map((n) => n.data.schemaId),
        invalid: findInvalid(loaded, nodes, edges),
        nodes: toBackendJson(chain.nodes, chain.edges, loaded.schemata),
    };
});
