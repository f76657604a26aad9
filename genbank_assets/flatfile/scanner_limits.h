/* The scanner's limits in bytes (lines for the preamble). The fuzzing build gives small ones by -D, so that inputs of
 * a few kilobytes reach what only absurd files reach otherwise; what a limit means must not depend on its size.
 */
#ifndef GENBANK_ASSETS_SCANNER_LIMITS_H
#define GENBANK_ASSETS_SCANNER_LIMITS_H

#ifndef RAW_LIMIT
#define RAW_LIMIT 65536 /* of a quarantined block's text that is kept */
#endif
#ifndef LINE_LIMIT
#define LINE_LIMIT 33554432 /* a longer line is not a flat file's */
#endif
#ifndef RESIDUE_LINE_LIMIT
#define RESIDUE_LINE_LIMIT 1048576 /* a longer line of residues is not held, but taken as it comes */
#endif
#ifndef RESIDUE_STEP
#define RESIDUE_STEP 16384 /* residues hashed and counted at a time, while they are in cache */
#endif
#ifndef FIRST_LINE_LIMIT
#define FIRST_LINE_LIMIT 1048576 /* where no line has ended by then, a line feed will end it */
#endif
#ifndef PREAMBLE_LIMIT
#define PREAMBLE_LIMIT 64 /* lines before the first LOCUS that are kept */
#endif

#endif
