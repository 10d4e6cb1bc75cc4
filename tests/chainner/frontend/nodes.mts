// What chaiNNer's window makes of the backend's answer to /nodes.
import { evaluate } from '@chainner/navi';
import type { NonNeverType } from '@chainner/navi';
import type { BackendNodesResponse } from 'chainner/common/Backend';
import { CategoryMap } from 'chainner/common/CategoryMap';
import type { InputData, InputId, NodeSchema, SchemaId } from 'chainner/common/common-types';
import { checkNodeValidity } from 'chainner/common/nodes/checkNodeValidity';
import { testInputCondition } from 'chainner/common/nodes/condition';
import { getGroupStacks } from 'chainner/common/nodes/groupStacks';
import { getKeyInfo } from 'chainner/common/nodes/keyInfo';
import { parseFunctionDefinitions } from 'chainner/common/nodes/parseFunctionDefinitions';
import { sortNodes } from 'chainner/common/nodes/sort';
import { PassthroughMap } from 'chainner/common/PassthroughMap';
import { SchemaInputsMap } from 'chainner/common/SchemaInputsMap';
import { SchemaMap } from 'chainner/common/SchemaMap';
import { FunctionInstance } from 'chainner/common/types/function';
import { fromJson } from 'chainner/common/types/json';
import type { ExpressionJson } from 'chainner/common/types/json';
import { nullType } from 'chainner/common/types/util';

/** The nodes as the window holds them. Throws an error with all that is wrong with their types and groups. */
export const loadNodes = (response: BackendNodesResponse) => {
    // Transformers are shown with experimental features only.
    const nodes = response.nodes.filter((node) => node.kind !== 'transformer');
    const schemata = new SchemaMap(sortNodes(nodes, new CategoryMap(response.categories)));
    const ungrouped = nodes.filter((node) => !schemata.has(node.schemaId));
    if (ungrouped.length) {
        throw new Error(ungrouped.map((node) => `${node.schemaId} is in no node group`).join('\n\n'));
    }
    const definitions = parseFunctionDefinitions(nodes);
    const passthrough = PassthroughMap.create(definitions);
    new SchemaInputsMap(schemata.schemata); // checks the groups
    return { schemata, definitions, passthrough };
};

export type Nodes = ReturnType<typeof loadNodes>;

export interface Question {
    schemaId: SchemaId;
    types: Record<string, ExpressionJson>;
    values: InputData;
}

/** What the window knows of one node with these types connected and these values chosen. */
export const describeNode = ({ schemata, definitions }: Nodes, question: Question) => {
    const definition = definitions.get(question.schemaId)!;
    const { schema, scope } = definition;
    const inputData: InputData = { ...schemata.getDefaultInput(schema.schemaId), ...question.values };
    const connected = new Set(Object.keys(question.types).map((id) => Number(id) as InputId));

    const typeOf = (id: InputId) => {
        if (connected.has(id)) return evaluate(fromJson(question.types[id]), scope) as NonNeverType;
        const value = inputData[id];
        if (value === undefined) return definition.inputNullable.has(id) ? nullType : undefined;
        return definition.inputDataAdapters.get(id)?.(value);
    };
    const instance = FunctionInstance.fromPartialInputs(definition, (id) => {
        const type = typeOf(id);
        return type && { type, sequence: undefined };
    });

    const isShown = (id: InputId) =>
        (getGroupStacks(schema).inputConditions.get(id) ?? []).every((condition) =>
            testInputCondition(
                condition,
                inputData,
                schema,
                (other) => instance.inputs.get(other),
                (other) => connected.has(other)
            )
        );
    const validity = checkNodeValidity({
        schema,
        inputData,
        connectedInputs: connected,
        functionInstance: instance,
        chainLineage: undefined,
        nodeId: '',
    });
    return {
        outputs: Object.fromEntries([...instance.outputs].map(([id, type]) => [id, type.toString()])),
        shown: schema.inputs.filter(({ id }) => isShown(id)).map(({ id }) => id),
        keyInfo: getKeyInfo(schema, inputData, instance),
        problem: validity.isValid ? null : validity.reason,
    };
};

/** All errors that the window would meet while it loads the nodes and shows each of them once. */
export const findErrors = (response: BackendNodesResponse): string[] => {
    let nodes: Nodes;
    try {
        nodes = loadNodes(response);
    } catch (error) {
        return String(error).split('\n\n');
    }
    const show = (schema: NodeSchema): string[] => {
        try {
            describeNode(nodes, { schemaId: schema.schemaId, types: {}, values: {} });
            return [];
        } catch (error) {
            return [`${schema.schemaId}: ${String(error)}`];
        }
    };
    return nodes.schemata.schemata.flatMap(show);
};
