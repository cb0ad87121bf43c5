/* SPDX-License-Identifier: MIT */
/*
 * The checker is checked: somebody else loses, tears or brings back a value, while the
 * clients wait. Owner: tests/crash. The killer's thread.
 */
#ifndef CRASH_SABOTAGE_H
#define CRASH_SABOTAGE_H

/* @what: "lose", "tear" or "duplicate". 0, or -1 after a message. */
int sabotage(const char *transport, const char *what);

#endif /* CRASH_SABOTAGE_H */
