import { z } from 'zod'

/** Highest score; scores are the whole numbers 0 to 30. */
export const MAXIMUM_SCORE = 30

const share = z.number().min(0).max(1)

/** Strictly rising: a link that is flat or falls would give two scores one latent place. */
const rising = (length: number) =>
  z
    .array(z.number())
    .length(length)
    .refine((values) => values.every((value, index) => index === 0 || value > values[index - 1]!), {
      error: 'must rise strictly',
    })

/** One kind of course; `level - decline * exp(decline_age_rate * t)` is its latent mean at age t. */
const courseSchema = z.strictObject({
  name: z.string().min(1),
  /** Share of people who follow this course, before any score is seen. */
  weight: share,
  level: z.number(),
  decline: z.number(),
  /** Latent standard deviation that the random walk has gathered by the reference age. */
  walk_sd: z.number().positive(),
})

/**
 * `parameters.json` of a forecast model: a mixture of Gaussian processes (random intercept + Brownian motion whose
 * variance grows exponentially with age + measurement noise) on a latent scale linked to the score by a beta
 * distribution function. Ages enter as t = (age - reference) / scale.
 */
export const forecastParametersSchema = z.strictObject({
  parameters_version: z.literal(1),
  age: z.strictObject({
    reference_years: z.number(),
    scale_years: z.number().positive(),
    /** The mean declines no further beyond this age, where training has no people. */
    ceiling_years: z.number(),
    /** Ages of the training people: outside, the forecast warns that it extrapolates. */
    trained_years: z.tuple([z.number(), z.number()]),
  }),
  link: z.strictObject({
    /** Shapes of the beta distribution that `thresholds` and `scores` were computed from, for the record. */
    beta_shapes: z.tuple([z.number().positive(), z.number().positive()]),
    /** Latent upper bounds of the scores 0 to 29. */
    thresholds: rising(MAXIMUM_SCORE),
    /** Latent place of the observed scores 0 to 30; the place of 30 was fitted (ceiling). */
    scores: rising(MAXIMUM_SCORE + 1),
  }),
  noise_sd: z.number().positive(),
  intercept_sd: z.number().positive(),
  walk_age_rate: z.number().positive(),
  decline_age_rate: z.number(),
  /** Latent difference of men from women, and of people with a diploma from those without. */
  effects: z.strictObject({ male: z.number(), education: z.number() }),
  courses: z.array(courseSchema).min(1),
  /** Who the person is when a covariate is absent: the forecast averages over these people. */
  population: z.strictObject({ ages: z.array(z.number()).min(1), male: share, education: share }),
  /** What at least 20 training people with a later score reached: beyond, the forecast warns. */
  trained: z.strictObject({
    /** Lowest score that a later one was forecast from. */
    lowest_score: z.int().min(0).max(MAXIMUM_SCORE),
    shortest_gap_months: z.number().nonnegative(),
  }),
  /** Longest time ahead, in months, that training could check: beyond it the forecast warns. */
  checked_months: z.number().positive(),
})

export type ForecastParameters = z.infer<typeof forecastParametersSchema>
