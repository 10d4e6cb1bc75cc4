// {description} -> what is wrong with the answer to /nodes; {description, questions} -> what becomes of single nodes.
import type { BackendNodesResponse } from 'chainner/common/Backend';
import { describeNode, findErrors, loadNodes } from './nodes.mts';
import type { Question } from './nodes.mts';
import { answer } from './question.mts';

interface Asked {
    description: BackendNodesResponse;
    questions?: Question[];
}

export const done = answer(({ description, questions }: Asked) => {
    if (!questions) return findErrors(description);
    const nodes = loadNodes(description);
    return questions.map((question) => describeNode(nodes, question));
});
