/* The one header that server adapters include. */

#ifndef ACME_CORE_H
#define ACME_CORE_H

#include "base/error.h"
#include "base/log.h"
#include "crypto/alpn_show.h"
#include "format/client_hello.h"
#include "page/page.h"
#include "serve/serve.h"
#include "serve/spawn.h"
#include "settings/listener.h"
#include "settings/settings.h"
#include "store/assign.h"
#include "store/store.h"

#endif
