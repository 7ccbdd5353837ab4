declare module 'node-gyp-build' {
  interface Load {
    /** Loads the addon of the package in `directory`. */
    (directory: string): unknown;
    /** The file that would be loaded. Throws when there is none. */
    path(directory: string): string;
  }
  const load: Load;
  export default load;
}
