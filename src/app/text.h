/* SPDX-License-Identifier: BSD-3-Clause */
/* Numbers as a reader wants them: 1,100,048,384; 12.4 us; 37.2 %. */
#ifndef APP_TEXT_H
#define APP_TEXT_H

#include <stdint.h>

struct app_text {
    char text[40];
};

/* Digits in threes. */
struct app_text app_text_count(int64_t value);

/* A time in the unit that leaves one to three digits before the point: ps, ns, us, ms, s. */
struct app_text app_text_time(int64_t ps);

/* A whole number below 10,000, else k or M with one digit behind the point. */
struct app_text app_text_short(double value);

struct app_text app_text_share(double part, double whole);

#endif
