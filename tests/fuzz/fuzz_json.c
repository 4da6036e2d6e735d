/* Any text; what is taken is read by name and type, and written again. */

#include <assert.h>

#include "format/json.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct acme_buffer text = ACME_BUFFER(16 * size + 16);
    struct acme_error err;
    cJSON *root = acme_json_parse((struct acme_bytes) { data, size }, &err);

    for (cJSON *at = root != NULL ? root->child : NULL; at; at = at->next) {
        acme_json_text(acme_json_object(root, at->string), "a", 16);
        assert(acme_json_number(root, at->string, 0) >= 0);
    }
    if (root != NULL) {
        assert(acme_json_print(&text, root));
    }
    cJSON_Delete(root);
    acme_buffer_free(&text);
    return 0;
}
