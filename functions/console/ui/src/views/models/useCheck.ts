import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useEffect, useRef, useState } from 'react';
import type { ModelFault, ProvisioningModel } from '@/api/types';
import { check } from './models';

/** What was typed, when the typing rests, to the letter. */
export function useSettled<T>(value: T, ms: number): T {
  const [settled, set] = useState(value);
  useEffect(() => {
    const t = setTimeout(() => set(value), ms);
    return () => clearTimeout(t);
  }, [value, ms]);
  return settled;
}

export interface Checked {
  /** What is wrong with the text, or with the one a moment ago. */
  faults: readonly ModelFault[];
  /** The model that the text is, or was when there was nothing wrong with it last. */
  model?: ProvisioningModel;
  /** The model is of an earlier text. */
  stale: boolean;
  /** The text was checked as it is, and nothing is wrong with it. */
  good: boolean;
  error: unknown;
}

/** Has the platform check a text as it is typed. */
export function useCheck(text: string): Checked {
  const settled = useSettled(text, 250);
  const { data, error, isPlaceholderData } = useQuery({
    queryKey: ['model-check', settled],
    queryFn: ({ signal }) => check(settled, signal),
    enabled: settled.trim() !== '',
    placeholderData: keepPreviousData,
    staleTime: Number.POSITIVE_INFINITY,
    gcTime: 60_000,
  });
  const last = useRef<ProvisioningModel>(undefined);
  if (data?.model) last.current = data.model;
  const fresh = settled === text && !isPlaceholderData && !error;
  return {
    faults: settled.trim() === '' ? [] : (data?.faults ?? []),
    model: data?.model ?? last.current,
    stale: !data?.model,
    good: fresh && !!data?.ok,
    error,
  };
}
