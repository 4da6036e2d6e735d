/*
 * A small HTTPS server on 127.0.0.1 for the agent's tests: HTTP/1.1, one
 * thread a connection, in a child process. Its certificate is made at start;
 * `root` is the self-signed root it hangs from.
 */

#ifndef TESTS_HTTPS_SERVER_H
#define TESTS_HTTPS_SERVER_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

struct heard {
    char method[8];
    char path[2048];
    char head[8192];    /* the request as it came, up to the empty line */
    char *body;
    size_t body_len;
};

/* What the child tells the test, and the other way round. */
struct shared {
    atomic_uint connections;
    atomic_uint requests;
    atomic_uint heads;
    atomic_uint knob;   /* the test's, for its answer function */
};

struct server {
    pid_t pid;
    int port;
    char *root;         /* PEM */
    struct shared *shared;
};

/* Write the whole response to `out`; the server takes care of nothing. */
typedef void (*answer_function)(const struct heard *heard,
    struct shared *shared, FILE *out);

/* ---- certificates */

static inline X509 *
make_certificate(EVP_PKEY *key, X509 *issuer, EVP_PKEY *issuer_key,
    const char *name, const char *extension)
{
    static long serial = 1;
    X509 *x = X509_new();
    X509_EXTENSION *ext;
    X509V3_CTX ctx;

    X509_set_version(x, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x), serial++);
    X509_gmtime_adj(X509_getm_notBefore(x), -3600);
    X509_gmtime_adj(X509_getm_notAfter(x), 3600);
    X509_set_pubkey(x, key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC,
        (const unsigned char *) name, -1, -1, 0);
    X509_set_issuer_name(x, X509_get_subject_name(issuer ? issuer : x));
    X509V3_set_ctx(&ctx, issuer ? issuer : x, x, NULL, NULL, 0);
    ext = X509V3_EXT_conf_nid(NULL, &ctx,
        issuer ? NID_subject_alt_name : NID_basic_constraints, extension);
    X509_add_ext(x, ext, -1);
    X509_EXTENSION_free(ext);
    X509_sign(x, issuer_key, EVP_sha256());
    return x;
}

/* A root of its own, as PEM; the caller frees. */
static inline char *
make_root(EVP_PKEY **key_out, X509 **root_out)
{
    static unsigned number;
    EVP_PKEY *key = EVP_EC_gen("P-256");
    BIO *bio = BIO_new(BIO_s_mem());
    char *data, *pem, name[32];
    X509 *root;
    long len;

    snprintf(name, sizeof(name), "test root %u", ++number);
    root = make_certificate(key, NULL, key, name, "CA:TRUE");
    PEM_write_bio_X509(bio, root);
    len = BIO_get_mem_data(bio, &data);
    pem = strndup(data, (size_t) len);
    BIO_free(bio);
    if (key_out != NULL) {
        *key_out = key;
        *root_out = root;
    } else {
        EVP_PKEY_free(key);
        X509_free(root);
    }
    return pem;
}

static inline SSL_CTX *
make_tls(EVP_PKEY *root_key, X509 *root)
{
    SSL_CTX *tls = SSL_CTX_new(TLS_server_method());
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *leaf = make_certificate(key, root, root_key, "leaf",
        "IP:127.0.0.1");

    SSL_CTX_use_certificate(tls, leaf);
    SSL_CTX_use_PrivateKey(tls, key);
    X509_free(leaf);
    EVP_PKEY_free(key);
    return tls;
}

/* ---- one connection */

struct connection {
    int fd;
    SSL_CTX *tls;
    answer_function answer;
    struct shared *shared;
};

static inline bool
read_head(SSL *ssl, struct heard *heard)
{
    size_t len = 0;

    while (len < sizeof(heard->head) - 1) {
        if (SSL_read(ssl, heard->head + len, 1) != 1) {
            return false;
        }
        heard->head[++len] = '\0';
        if (len >= 4 && strcmp(heard->head + len - 4, "\r\n\r\n") == 0) {
            return sscanf(heard->head, "%7s %2047s", heard->method,
                heard->path) == 2;
        }
    }
    return false;
}

static inline bool
read_request(SSL *ssl, struct heard *heard)
{
    const char *length;

    memset(heard, 0, sizeof(*heard));
    if (!read_head(ssl, heard)) {
        return false;
    }
    length = strcasestr(heard->head, "\r\ncontent-length:");
    heard->body_len = length ? strtoul(strchr(length, ':') + 1, NULL, 10) : 0;
    heard->body = calloc(1, heard->body_len + 1);
    for (size_t at = 0; at < heard->body_len;) {
        int n = SSL_read(ssl, heard->body + at, (int) (heard->body_len - at));

        if (n <= 0) {
            return false;
        }
        at += (size_t) n;
    }
    return true;
}

static inline void *
serve_connection(void *ctx)
{
    struct connection *c = ctx;
    SSL *ssl = SSL_new(c->tls);
    struct heard heard = { 0 };
    bool alive = SSL_set_fd(ssl, c->fd) == 1 && SSL_accept(ssl) == 1;

    while (alive && read_request(ssl, &heard)) {
        char *text = NULL;
        size_t len = 0;
        FILE *out = open_memstream(&text, &len);

        atomic_fetch_add(&c->shared->requests, 1);
        if (strcmp(heard.method, "HEAD") == 0) {
            atomic_fetch_add(&c->shared->heads, 1);
        }
        c->answer(&heard, c->shared, out);
        fclose(out);
        alive = len > 0 && SSL_write(ssl, text, (int) len) == (int) len
            && strstr(text, "Connection: close") == NULL;
        free(text);
        free(heard.body);
        heard.body = NULL;
    }
    SSL_shutdown(ssl);
    SSL_free(ssl);
    close(c->fd);
    free(c);
    return NULL;
}

static inline void
serve(int listener, SSL_CTX *tls, answer_function answer,
    struct shared *shared)
{
    for (;;) {
        struct connection *c = calloc(1, sizeof(*c));
        pthread_t thread;

        c->fd = accept(listener, NULL, NULL);
        c->tls = tls;
        c->answer = answer;
        c->shared = shared;
        if (c->fd < 0) {
            _exit(1);
        }
        atomic_fetch_add(&shared->connections, 1);
        pthread_create(&thread, NULL, serve_connection, c);
        pthread_detach(thread);
    }
}

/* ---- start and stop */

static inline int
listen_on_loopback(int *port)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (bind(fd, (struct sockaddr *) &address, len) != 0
        || listen(fd, 128) != 0
        || getsockname(fd, (struct sockaddr *) &address, &len) != 0) {
        abort();
    }
    *port = ntohs(address.sin_port);
    return fd;
}

static inline struct server
start_server(answer_function answer)
{
    struct server server = { 0 };
    EVP_PKEY *root_key;
    X509 *root;
    SSL_CTX *tls;
    int listener = listen_on_loopback(&server.port);

    server.root = make_root(&root_key, &root);
    tls = make_tls(root_key, root);
    server.shared = mmap(NULL, sizeof(*server.shared), PROT_READ | PROT_WRITE,
        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    server.pid = fork();
    if (server.pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        signal(SIGPIPE, SIG_IGN);
        serve(listener, tls, answer, server.shared);
    }
    close(listener);
    SSL_CTX_free(tls);
    X509_free(root);
    EVP_PKEY_free(root_key);
    return server;
}

static inline void
stop_server(struct server *server)
{
    kill(server->pid, SIGKILL);
    waitpid(server->pid, NULL, 0);
    munmap(server->shared, sizeof(*server->shared));
    free(server->root);
}

#endif
