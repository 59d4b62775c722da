/* SPDX-License-Identifier: BSD-3-Clause */
/* Allocation: zeroed, growing by doubling, and an abort that says how much was asked for. */
#include "test.h"

#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/memory.h"

static void arrays_are_zeroed(void)
{
    int64_t *array = base_alloc(1000, sizeof *array);
    int64_t sum = 0;
    for (int i = 0; i < 1000; i++)
        sum |= array[i];
    CU_ASSERT_EQUAL(sum, 0);
    base_free(array);
}

static void empty_arrays_are_unique_pointers(void)
{
    void *a = base_alloc(0, 8), *b = base_alloc(0, 8);
    CU_ASSERT_PTR_NOT_NULL(a);
    CU_ASSERT_PTR_NOT_EQUAL(a, b);
    base_free(a);
    base_free(b);
}

static void growing_keeps_old_elements_and_zeroes_new_ones(void)
{
    size_t capacity = 0;
    int *array = NULL;
    for (int i = 0; i < 1000; i++) {
        array = base_grow(array, &capacity, (size_t)i + 1, sizeof *array);
        CU_ASSERT_EQUAL(array[i], 0);
        array[i] = i;
    }
    CU_ASSERT_TRUE(capacity >= 1000 && capacity < 2048);
    CU_ASSERT_EQUAL(array[777], 777);
    array = base_grow(array, &capacity, 100000, sizeof *array);
    CU_ASSERT_EQUAL(capacity, 100000);
    CU_ASSERT_EQUAL(array[99999], 0);
    base_free(array);
}

static void formatted_text_has_the_length_it_needs(void)
{
    char *text = base_format("%s-%05d", "abc", 42);
    CU_ASSERT_STRING_EQUAL(text, "abc-00042");
    base_free(text);
    text = base_format("%*s", 100000, "");
    CU_ASSERT_EQUAL(strlen(text), 100000);
    base_free(text);
    text = base_strdup("");
    CU_ASSERT_STRING_EQUAL(text, "");
    base_free(text);
}

static void ask_for_too_much(void)
{
    base_realloc(NULL, SIZE_MAX / 2, 3);
}

/* Runs `ask` in a child; its stderr is left in `text`. Returns the signal that ended it. */
static int signal_of(void (*ask)(void), char *text, size_t bytes)
{
    int pipe_ends[2];
    CU_ASSERT_EQUAL_FATAL(pipe(pipe_ends), 0);
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
        dup2(pipe_ends[1], STDERR_FILENO);
        ask();
        _exit(0);
    }
    close(pipe_ends[1]);
    ssize_t length = read(pipe_ends[0], text, bytes - 1);
    text[length > 0 ? length : 0] = '\0';
    close(pipe_ends[0]);
    int status = 0;
    waitpid(child, &status, 0);
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void running_out_of_memory_aborts_with_the_size(void)
{
    char text[512], expected[64];
    CU_ASSERT_EQUAL(signal_of(ask_for_too_much, text, sizeof text), SIGABRT);
    snprintf(expected, sizeof expected, "out of memory: %zu elements of 3 bytes", SIZE_MAX / 2);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, expected));
}

TEST_MAIN("memory", TEST(arrays_are_zeroed), TEST(empty_arrays_are_unique_pointers),
          TEST(growing_keeps_old_elements_and_zeroes_new_ones),
          TEST(formatted_text_has_the_length_it_needs),
          TEST(running_out_of_memory_aborts_with_the_size))
