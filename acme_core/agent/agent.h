/*
 * The agent: touches THE NETWORK and nothing else. It holds no key, opens no
 * file of ours, and asks the keeper for each signature.
 */

#ifndef ACME_AGENT_AGENT_H
#define ACME_AGENT_AGENT_H

/*
 * Run until the keeper's channel closes.
 *   channel_fd   SEQPACKET to the keeper; taken over
 *   sandbox      called once libcurl and the resolver are loaded and before
 *                the first message is read; false ends the agent
 * Returns the process's exit status (0 or 1, never 2).
 */
int acme_agent_run(int channel_fd, _Bool (*sandbox)(void));

#endif
