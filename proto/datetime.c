/* XEP-0082 date-times (profiles of ISO 8601), proleptic Gregorian, UTC, from 1970 on. */

#include "datetime.h"

#include <stdio.h>
#include <time.h>

#define MICROS UINT64_C(1000000)

void datetime_write(char out[DATETIME_MAX], uint64_t us)
{
    time_t    seconds = (time_t)(us / MICROS);
    unsigned  fraction = (unsigned)(us % MICROS);
    struct tm tm;

    if (!gmtime_r(&seconds, &tm) || tm.tm_year > 8099) {   /* four digits of year end at 9999 */
        snprintf(out, DATETIME_MAX, "9999-12-31T23:59:59Z");
        return;
    }
    size_t len = strftime(out, DATETIME_MAX, "%Y-%m-%dT%H:%M:%S", &tm);
    if (fraction)
        snprintf(out + len, DATETIME_MAX - len, ".%06uZ", fraction);
    else
        snprintf(out + len, DATETIME_MAX - len, "Z");
}

struct reader {
    struct slice rest;
    bool         bad;
};

static bool take_char(struct reader *r, char c)
{
    if (r->rest.len == 0 || r->rest.p[0] != (uint8_t)c)
        return false;
    r->rest = slice_cut(r->rest, 1, r->rest.len);
    return true;
}

static void need_char(struct reader *r, char c)
{
    r->bad |= !take_char(r, c);
}

static bool digit(struct slice s)
{
    return s.len > 0 && s.p[0] >= '0' && s.p[0] <= '9';
}

/* Exactly `digits` digits with a value in [low, high]. */
static unsigned need_number(struct reader *r, unsigned digits, unsigned low, unsigned high)
{
    unsigned value = 0;

    for (unsigned i = 0; i < digits; i++) {
        if (!digit(r->rest)) {
            r->bad = true;
            return low;
        }
        value = value * 10 + (r->rest.p[0] - '0');
        r->rest = slice_cut(r->rest, 1, r->rest.len);
    }
    r->bad |= value < low || value > high;
    return value;
}

/* Any number of digits; what is finer than a microsecond is cut off. */
static uint64_t fraction(struct reader *r)
{
    uint64_t value = 0, unit = MICROS / 10;

    if (!take_char(r, '.'))
        return 0;
    r->bad |= !digit(r->rest);
    for (; digit(r->rest); unit /= 10) {
        value += unit * (r->rest.p[0] - '0');
        r->rest = slice_cut(r->rest, 1, r->rest.len);
    }
    return value;
}

/* Seconds east of UTC. */
static int64_t offset(struct reader *r)
{
    if (take_char(r, 'Z'))
        return 0;
    int sign = take_char(r, '-') ? -1 : 1;
    if (sign > 0)
        need_char(r, '+');
    unsigned hours = need_number(r, 2, 0, 14);
    need_char(r, ':');
    return sign * (int64_t)(hours * 3600 + need_number(r, 2, 0, 59) * 60);
}

static unsigned days_in(unsigned year, unsigned month)
{
    static const uint8_t days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    bool                 leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    return days[month - 1] + (month == 2 && leap);
}

static int64_t date_seconds(struct reader *r)
{
    unsigned year = need_number(r, 4, 1, 9999);
    need_char(r, '-');
    unsigned month = need_number(r, 2, 1, 12);
    need_char(r, '-');
    unsigned  day = need_number(r, 2, 1, 31);
    struct tm tm = { .tm_year = (int)year - 1900, .tm_mon = (int)month - 1, .tm_mday = (int)day };

    if (r->bad || day > days_in(year, month)) {
        r->bad = true;
        return 0;
    }
    return (int64_t)timegm(&tm);
}

enum zerr datetime_parse(struct slice text, uint64_t *us)
{
    struct reader r = { .rest = text };
    int64_t       seconds = date_seconds(&r);
    uint64_t      micros = 0;

    if (!r.bad && r.rest.len > 0) {   /* else the Date profile: midnight */
        need_char(&r, 'T');
        seconds += need_number(&r, 2, 0, 23) * 3600;
        need_char(&r, ':');
        seconds += need_number(&r, 2, 0, 59) * 60;
        need_char(&r, ':');
        seconds += need_number(&r, 2, 0, 59);
        micros = fraction(&r);
        seconds -= offset(&r);
    }
    if (r.bad || r.rest.len > 0 || seconds < 0)
        return ZE_BAD_REQUEST;
    *us = (uint64_t)seconds * MICROS + micros;
    return ZE_OK;
}
