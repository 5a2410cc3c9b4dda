/** Tells the schema library not to compile code at run time, which the page's policy forbids. Imported before anything that has a schema. */
import { config } from 'zod';

config({ jitless: true });
