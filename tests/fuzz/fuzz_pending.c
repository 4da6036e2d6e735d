/* Any pending/<folder>/order.json: loaded, published and taken back. */

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "keeper/account.h"
#include "keeper/pending.h"

/* in memory: what is synced to a disk takes its time */
static char path[] = "/dev/shm/acme-fuzz-XXXXXX";
static char name[] = "a.test", *names[] = { name };
static struct acme_settings_ca ca = { .name = name,
    .url = (char *) "https://ca.test/" };
static struct acme_settings_cert cert = { .names = names, .name_count = 1,
    .key_types = { ACME_KEY_ECDSA_256 }, .challenge_count = 2,
    .challenges = { ACME_HTTP_01, ACME_TLS_ALPN_01 }, .folder = name };
static struct acme_settings settings = { .cas = &ca, .ca_count = 1,
    .state_path = path };
static struct account account;
static struct keeper keeper = { .settings = &settings,
    .accounts = &account };

static void
leave(void)
{
    char command[] = "rm -rf /dev/shm/acme-fuzz-XXXXXX";

    memcpy(command + 7, path, strlen(path));
    (void) !system(command);
}

static void
enter(void)
{
    struct acme_error err;

    assert(mkdtemp(path) != NULL && atexit(leave) == 0);
    keeper.store = acme_store_open(path, &err);
    assert(acme_page_make(&keeper.page_fd, &err));
    keeper.page = acme_page_map_writer(keeper.page_fd, &err);
    account_init(&account, &ca, 1, &keeper.log);
    assert(account_load(&account, keeper.store, &err));
}

/* Those of tls-alpn-01 are in another table of the page. */
static bool
has_http_01(const struct job *job)
{
    for (size_t i = 0; i < job->proof_count; i++) {
        if (job->proofs[i].type == ACME_HTTP_01) {
            return true;
        }
    }
    return false;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct job job = { .cert = &cert, .account = &account,
        .log = { .parent = &keeper.log }, .key = NULL };
    struct acme_bytes json = { data, size };
    struct acme_error err;

    if (keeper.store == NULL) {
        enter();
    }
    job.key = account.key;        /* any of the type will do */
    assert(pending_save_key(&job, &keeper, &err));
    job.key = NULL;
    assert(acme_store_pending_write(keeper.store, name, "order.json", json,
        &err));
    pending_load(&job, &keeper);
    assert(acme_page_has_proofs(keeper.page) == has_http_01(&job));
    pending_withdraw(&job, &keeper);
    assert(!acme_page_has_proofs(keeper.page));
    pending_forget(&job);
    return 0;
}
