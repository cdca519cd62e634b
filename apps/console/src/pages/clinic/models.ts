import { query, type Schemas } from '../../api/client.ts'

export type Model = Schemas['Model']
export type ModelDetail = Schemas['ModelDetail']

/** The models that predict a risk and serve where no version is named, the default one first. */
export const offeredModels = (models: readonly Model[]): readonly Model[] =>
  models
    .filter(({ kind, is_active: isActive }) => kind === 'risk' && isActive)
    .toSorted((left, right) => Number(right.is_default) - Number(left.is_default))

/** Everything that a model says of itself. A version never changes, so it is read once. */
export const useModel = (model: Pick<Model, 'name' | 'version'> | undefined) =>
  query.useQuery(
    'get',
    '/v1/models/{name}/{version}',
    { params: { path: { name: model?.name ?? '', version: model?.version ?? '' } } },
    { enabled: model !== undefined, staleTime: 60_000 },
  )
