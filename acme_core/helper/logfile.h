/*
 * The helper's log: the server's own error log, in the server's own format.
 */

#ifndef ACME_HELPER_LOGFILE_H
#define ACME_HELPER_LOGFILE_H

#include "base/log.h"
#include "settings/settings.h"

/*
 * Lines go to descriptor 2, which the server opened. settings (borrowed, may
 * be NULL before they are read) give level and path: when the file at the path
 * is another one than descriptor 2, the log was rotated and is opened anew.
 */
struct acme_log acme_logfile(const struct acme_settings *settings);

#endif
