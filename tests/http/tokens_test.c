/*
 * Tests of http/tokens: what a text says, what is wrong with one, that no part of it is told, and
 * that looking for a token takes the same steps whichever it is: they are counted, one by one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "http/right.h"
#include "http/tokens.h"
#include "lib/failing.h"

FAILING_CALLOC
FAILING_REALLOCARRAY

/* A sanitizer takes steps of its own, which depend on what was done before. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define IS_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define IS_SANITIZED 1
#endif
#endif
#ifndef IS_SANITIZED
#define IS_SANITIZED 0
#endif

#define A16 "aaaaaaaaaaaaaaaa"
#define B16 "bbbbbbbbbbbbbbbb"
#define A64 A16 A16 A16 A16
#define B64 B16 B16 B16 B16
#define C64 "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"
#define A128 A64 A64
#define TEXT(text) text, sizeof(text) - 1
#define ALL_RIGHTS "read,write,admin"

static struct tokens *parse(const char *text)
{
    struct tokens_fault fault;
    struct tokens *tokens = tokens_parse(text, strlen(text), &fault);
    if (tokens == NULL)
        fail_msg("line %u: %s", fault.line, fault.why);
    return tokens;
}

static void assert_grant(const struct tokens *tokens, const char *token, unsigned rights,
                         const char *prefix)
{
    const struct token_grant *grant = tokens_find(tokens, token, strlen(token));
    assert_non_null(grant);
    assert_int_equal(grant->rights, rights);
    assert_string_equal(grant->prefix, prefix);
}

static void lines_say_who_may_do_what(void **state)
{
    struct tokens *tokens = parse("# a comment: " A16 " read\n"
                                  "\n"
                                  " \t \n"
                                  "\t# another one\n"
                                  "aaaaaaaaaaaaaaa1 read\n"
                                  "  aaaaaaaaaaaaaaa2\twrite \t\n"
                                  "aaaaaaaaaaaaaaa3 admin\n"
                                  "aaaaaaaaaaaaaaa4 write,read p\n"
                                  "aaaaaaaaaaaaaaa5 read,read default\n"
                                  "AZaz09-._~+/aa== " ALL_RIGHTS "\n"
                                  "aaaaaaaaaaaaaaa6 read a%20b+%c3%a4\xc3\xa4#\n"
                                  "aaaaaaaaaaaaaaa7 write %23\n"
                                  "#" A16 " read\n" A128 " write\n");
    (void)state;
    assert_int_equal(tokens_count(tokens), 9);
    assert_grant(tokens, "aaaaaaaaaaaaaaa1", RIGHT_READ, "");
    assert_grant(tokens, "aaaaaaaaaaaaaaa2", RIGHT_WRITE, "");
    assert_grant(tokens, "aaaaaaaaaaaaaaa3", RIGHT_ADMIN, "");
    assert_grant(tokens, "aaaaaaaaaaaaaaa4", RIGHT_READ | RIGHT_WRITE, "p");
    assert_grant(tokens, "aaaaaaaaaaaaaaa5", RIGHT_READ, "default");
    assert_grant(tokens, "AZaz09-._~+/aa==", RIGHT_ANY, "");
    assert_grant(tokens, "aaaaaaaaaaaaaaa6", RIGHT_READ, "a b \xc3\xa4\xc3\xa4#");
    assert_grant(tokens, "aaaaaaaaaaaaaaa7", RIGHT_WRITE, "#");
    assert_grant(tokens, A128, RIGHT_WRITE, "");
    tokens_free(tokens);
}

static void nothing_else_is_found(void **state)
{
    static const struct {
        const char *token;
        size_t bytes;
    } absent[] = {
        {TEXT("")},
        {TEXT("aaaaaaaaaaaaaaa")},
        {TEXT(A16 "a")},
        {TEXT("aaaaaaaaaaaaaaaA")},
        {TEXT("Aaaaaaaaaaaaaaaa")},
        {TEXT(A16 "\0")}, /* as it is padded */
        {TEXT(A16 "\0\0\0\0\0\0\0\0")},
        {TEXT(A16 " ")},
        {TEXT(A16 "\n")},
        {TEXT(A128 "a")},
        {TEXT(A64)},
        {TEXT("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0")}, /* what no token has left */
        {TEXT("#comment-comment")},
        {TEXT("comment-comment#")},
    };
    static const char huge[1 << 20];
    struct tokens *tokens =
        parse(A16 " read\n" A128 " read\n#comment-comment# read\n" B16 " read p\n");
    (void)state;
    for (size_t i = 0; i < sizeof(absent) / sizeof(absent[0]); i++) {
        print_message("row %zu\n", i);
        assert_null(tokens_find(tokens, absent[i].token, absent[i].bytes));
    }
    assert_null(tokens_find(tokens, huge, sizeof(huge)));
    assert_non_null(tokens_find(tokens, A128 "behind it", 128));
    assert_non_null(tokens_find(tokens, A16 "behind it", 16));
    tokens_free(tokens);
}

/* Each has a word beginning with "Secret", which must not be told. */
static const struct fault {
    const char *text;
    size_t bytes;
    unsigned line;
    const char *why;
} faults[] = {
    {TEXT(""), 1, "no token"},
    {TEXT("\n\n# Secret\n"), 4, "no token"},
    {TEXT("SecretSecret1234 read"), 1, "no end"},
    {TEXT("SecretSecret1234 read\nSecretSecret1235 wri"), 2, "no end"},
    {TEXT("SecretSecret1234 read\n# Secret"), 2, "no end"},
    {TEXT("SecretSecret123 read\n"), 1, "16 to 128"},
    {TEXT("Secret" A64 A64 " read\n"), 1, "16 to 128"},
    {TEXT("SecretSecret1234\n"), 1, "what it may"},
    {TEXT("SecretSecret1234 \t \n"), 1, "what it may"},
    {TEXT("SecretSecret1234 Secret\n"), 1, "what it may"},
    {TEXT("SecretSecret1234 SecretSecret1235\n"), 1, "what it may"},
    {TEXT("read SecretSecret1234\n"), 1, "16 to 128"},
    {TEXT("SecretSecret1234 reads\n"), 1, "what it may"},
    {TEXT("SecretSecret1234 rea\n"), 1, "what it may"},
    {TEXT("SecretSecret1234 Read\n"), 1, "what it may"},
    {TEXT("SecretSecret1234 ,\n"), 1, "what it may"},
    {TEXT("SecretSecret1234 read,\n"), 1, "what it may"},
    {TEXT("SecretSecret1234 ,read\n"), 1, "what it may"},
    {TEXT("SecretSecret1234 read,,write\n"), 1, "what it may"},
    {TEXT("SecretSecret1234 read;write\n"), 1, "what it may"},
    {TEXT("SecretSecret1234 # read\n"), 1, "what it may"},
    {TEXT("SecretSecret1234 read, write\n"), 1, "what it may"},
    {TEXT("SecretSecret1234 read p q\n"), 1, "more than"},
    {TEXT("SecretSecret1234 read p # Secret\n"), 1, "more than"},
    {TEXT("SecretSecret1234 read #Secret\n"), 1, "a comment"},
    {TEXT("SecretSecret1234 read # Secret\n"), 1, "more than"},
    {TEXT("SecretSecret1234 admin p\n"), 1, "no storagePrefix"},
    {TEXT("SecretSecret1234 read,admin p\n"), 1, "no storagePrefix"},
    {TEXT("SecretSecret1234 read a/Secret\n"), 1, "storagePrefix"},
    {TEXT("SecretSecret1234 read ..\n"), 1, "storagePrefix"},
    {TEXT("SecretSecret1234 read a%2fSecret\n"), 1, "storagePrefix"},
    {TEXT("SecretSecret1234 read a%0aSecret\n"), 1, "storagePrefix"},
    {TEXT("SecretSecret1234 read Secret%00\n"), 1, "%00"},
    {TEXT("SecretSecret1234 read Secret%zz\n"), 1, "escape"},
    {TEXT("SecretSecret1234 read Secret%2\n"), 1, "escape"},
    {TEXT("SecretSecret1234 read " A128 A128 "\n"), 1, ""},
    {TEXT("Secret Secret1234 read\n"), 1, "16 to 128"},
    {TEXT("SecretSecret123=4 read\n"), 1, "consists of"},
    {TEXT("================ read\n"), 1, "consists of"},
    {TEXT("=SecretSecret1234 read\n"), 1, "consists of"},
    {TEXT("SecretSecret1234, read\n"), 1, "consists of"},
    {TEXT("SecretSecret1234: read\n"), 1, "consists of"},
    {TEXT("\"SecretSecret1234\" read\n"), 1, "consists of"},
    {TEXT("SecretSecret12\xc3\xa4 read\n"), 1, "consists of"},
    {TEXT("\xef\xbb\xbfSecretSecret1234 read\n"), 1, "consists of"}, /* of a BOM */
    {TEXT("Secret\0Secret1234 read\n"), 1, "control character"},
    {TEXT("SecretSecret1234 re\0ad\n"), 1, "control character"},
    {TEXT("SecretSecret1234 read\r\n"), 1, "carriage return"},
    {TEXT("# Secret\r\nSecretSecret1234 read\r\n"), 2, "carriage return"},
    {TEXT("SecretSecret1234 read\n\0"), 2, "no end"},
    {TEXT("SecretSecret1234 read\n\0\n"), 2, "control character"},
    {TEXT("SecretSecret1234 read\n\n# x\nSecretSecret1234 write p\n"), 4,
     "same token as in line 1"},
    {TEXT("SecretSecret1234 read\nSecretSecret1235 read\nSecretSecret1235 read\n"), 3, "line 2"},
};

static void first_fault_is_told_and_no_token(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
        struct tokens_fault fault = {0};
        print_message("row %zu: %s\n", i, faults[i].text);
        assert_null(tokens_parse(faults[i].text, faults[i].bytes, &fault));
        assert_int_equal(fault.line, faults[i].line);
        assert_non_null(strstr(fault.why, faults[i].why));
        assert_null(strstr(fault.why, "ecret"));
        assert_in_range(strlen(fault.why), 5, TOKENS_FAULT_BYTES - 2); /* it is not cut off */
    }
}

/* Lines with so many different tokens. The caller frees them. */
static char *make_lines(unsigned count)
{
    const size_t line_bytes = 22;
    char *text = malloc(count * line_bytes + 1);
    assert_non_null(text);
    for (unsigned i = 0; i < count; i++)
        (void)snprintf(text + i * line_bytes, line_bytes + 1, "token-%010u read\n", i);
    return text;
}

static void there_may_be_so_many(void **state)
{
    struct tokens_fault fault;
    char *text = make_lines(TOKENS_MAX);
    struct tokens *tokens = parse(text);
    (void)state;
    assert_int_equal(tokens_count(tokens), TOKENS_MAX);
    assert_grant(tokens, "token-0000000000", RIGHT_READ, "");
    assert_grant(tokens, "token-0000001023", RIGHT_READ, "");
    assert_null(tokens_find(tokens, TEXT("token-0000001024")));
    tokens_free(tokens);
    free(text);
    text = make_lines(TOKENS_MAX + 1);
    assert_null(tokens_parse(text, strlen(text), &fault));
    assert_int_equal(fault.line, TOKENS_MAX + 1);
    assert_non_null(strstr(fault.why, "1024"));
    free(text);
}

/* Each allocation fails once, the first growth included. */
static void without_memory_nothing_is_made(void **state)
{
    struct failing *calls[] = {&fail_calloc, &fail_reallocarray};
    char *text = make_lines(40);
    (void)state;
    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
        bool failed = true;
        int nth = 1;
        for (; failed; nth++) {
            struct tokens_fault fault;
            failing_arm(calls[i], nth, ENOMEM);
            struct tokens *tokens = tokens_parse(text, strlen(text), &fault);
            failed = failing_disarm(calls[i]);
            assert_int_equal(tokens == NULL, failed);
            if (failed) {
                assert_int_equal(fault.line, 0);
                assert_string_equal(fault.why, "out of memory");
            }
            tokens_free(tokens);
        }
        assert_true(nth > 4);
    }
    tokens_free(NULL);
    free(text);
}

/* Ends with 1 if it may not be traced. */
static void look_for(const struct tokens *tokens, const char *token, size_t bytes)
{
    const struct token_grant *volatile found;
    found = tokens_find(tokens, token, bytes); /* binds calls */
    (void)found;
    if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
        _exit(1);
    (void)raise(SIGSTOP);
    found = tokens_find(tokens, token, bytes);
    (void)raise(SIGSTOP);
    (void)found;
    _exit(0);
}

/* How many instructions another process takes from one stop to the next; 0 if none may be traced.
 */
static unsigned long count_steps(const struct tokens *tokens, const char *token, size_t bytes)
{
    int status;
    unsigned long steps = 0;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        look_for(tokens, token, bytes);
    assert_int_equal(waitpid(child, &status, 0), child);
    while (WIFSTOPPED(status) && (steps == 0 || WSTOPSIG(status) == SIGTRAP)) {
        steps++;
        assert_int_equal(ptrace(PTRACE_SINGLESTEP, child, NULL, NULL), 0);
        assert_int_equal(waitpid(child, &status, 0), child);
    }
    if (WIFSTOPPED(status)) {
        (void)kill(child, SIGKILL);
        assert_int_equal(waitpid(child, &status, 0), child);
    }
    return steps;
}

/* Among those that are there, and among those that are not, the steps are as many: the reply itself
 * tells the two apart. */
static void looking_takes_the_same_steps_whichever_it_is(void **state)
{
    static const char *const there[] = {A64 A64, A64 B64, B64 A64},
                             *const absent[] = {
                                 B64 B64, /* differs from each in half of it */
                                 A64 A16 A16 A16 "aaaaaaaaaaaaaaab", /* from the first in the end */
                                 B64 A16 A16 A16 "aaaaaaaaaaaaaaab", /* from the last */
                                 "baaaaaaaaaaaaaaa" A16 A16 A16 A64, /* in the beginning */
                                 C64 C64,                            /* in all of it */
                             };
    char token[TOKEN_BYTES_MAX]; /* always in one place */
    struct tokens *tokens =
        parse(A64 A64 " read\n" A64 B64 " write\n" A16 " read\n" B64 A64 " read\n");
    unsigned long first = 0;
    (void)state;
    if (IS_SANITIZED) {
        tokens_free(tokens);
        skip();
    }
    for (size_t i = 0; i < sizeof(there) / sizeof(there[0]); i++) {
        memcpy(token, there[i], sizeof(token));
        unsigned long steps = count_steps(tokens, token, sizeof(token));
        if (steps == 0) {
            tokens_free(tokens);
            print_message("no process may be traced here\n");
            skip();
        }
        first = i == 0 ? steps : first;
        assert_int_equal(steps, first);
    }
    assert_true(first > 100);
    for (size_t i = 0; i < sizeof(absent) / sizeof(absent[0]); i++) {
        memcpy(token, absent[i], sizeof(token));
        unsigned long steps = count_steps(tokens, token, sizeof(token));
        first = i == 0 ? steps : first;
        assert_int_equal(steps, first);
    }
    print_message("%lu steps\n", first);
    tokens_free(tokens);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_say_who_may_do_what),
        cmocka_unit_test(nothing_else_is_found),
        cmocka_unit_test(first_fault_is_told_and_no_token),
        cmocka_unit_test(there_may_be_so_many),
        cmocka_unit_test(without_memory_nothing_is_made),
        cmocka_unit_test(looking_takes_the_same_steps_whichever_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
