/** What the addresses of the Access pages say after the question mark. Whatever is not understood is left out. */
import { useSearch } from '@tanstack/react-router';
import { z } from 'zod';

/** A name of digits alone is read as a number by the router. */
const word = z.coerce.string().max(300).optional().catch(undefined);
const decision = z.enum(['allowed', 'refused']).optional().catch(undefined);

export const PrincipalsAddress = z.object({ role: word });
export const RolesAddress = z.object({ role: word });
export const OwnerAddress = z.object({ owner: word });
export const SimulatorAddress = z.object({ principal: word, role: word, action: word, object: word, address: word, at: word });
export const AuditAddress = z.object({ principal: word, action: word, object: word, address: word, text: word, from: word, to: word, decision });

/** What the address of the page says, as far as `shape` knows it. */
export const useAddress = <T extends z.ZodType>(shape: T): z.output<T> => shape.parse(useSearch({ strict: false }));
