export interface KillResult {
  kills: number;
  /** Trainings that ended, each as the one that was never killed. */
  trainings: number;
  /** Temporary files of killed writes, as counted after each process. */
  leftTemporaries: number;
  seed: number;
}
export function killAndResume(kills: number, seed?: number, log?: (text: string) => void): Promise<KillResult>;
