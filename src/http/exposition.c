#include "http/exposition.h"

#include <event2/buffer.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#define LABELS_MAX 2

static void add(struct exposition *exposition, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void add(struct exposition *exposition, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    /* the analyzer does not know va_start here: NOLINTNEXTLINE(clang-analyzer-valist.*) */
    if (evbuffer_add_vprintf(exposition->out, format, arguments) < 0)
        exposition->out_of_memory = true;
    va_end(arguments);
}

static void begin_key(struct exposition *exposition, const char *suffix)
{
    exposition->suffix = suffix;
    exposition->samples = 0;
    exposition->has_key = true;
    if (exposition->json)
        add(exposition, "%s\"%s%s\":%s", exposition->keys++ == 0 ? "{\n" : ",\n", exposition->name,
            suffix, exposition->is_array ? "[" : "");
}

static void end_key(struct exposition *exposition)
{
    if (exposition->json && exposition->has_key && exposition->is_array)
        add(exposition, "]");
}

void exposition_family(struct exposition *exposition, const char *name, const char *type,
                       const char *help, bool labelled)
{
    end_key(exposition);
    exposition->name = name;
    exposition->is_array = labelled;
    if (!exposition->json)
        add(exposition, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
    exposition->has_key = false;
    if (strcmp(type, "histogram") != 0)
        begin_key(exposition, "");
}

void exposition_suffix(struct exposition *exposition, const char *suffix)
{
    end_key(exposition);
    begin_key(exposition, suffix);
}

void exposition_plain_suffix(struct exposition *exposition, const char *suffix)
{
    end_key(exposition);
    exposition->is_array = false;
    begin_key(exposition, suffix);
}

static void add_labels(struct exposition *exposition, const struct exposition_label *labels)
{
    const char *colon = exposition->json ? "\":" : "=";
    const char *quote = exposition->json ? "\"" : "";
    for (unsigned i = 0; i < LABELS_MAX && labels != NULL && labels[i].name != NULL; i++)
        add(exposition, "%s%s%s%s\"%s\"", i > 0 ? "," : "", quote, labels[i].name, colon,
            labels[i].value);
}

void exposition_sample(struct exposition *exposition, const struct exposition_label *labels,
                       double value)
{
    if (exposition->json && exposition->is_array)
        add(exposition, "%s{\"labels\":{", exposition->samples > 0 ? "," : "");
    else if (!exposition->json)
        add(exposition, "%s%s%s", exposition->name, exposition->suffix,
            exposition->is_array ? "{" : "");
    add_labels(exposition, labels);
    if (exposition->json && exposition->is_array)
        add(exposition, "},\"value\":%.17g}", value);
    else
        add(exposition, exposition->json ? "%s%.17g" : "%s %.17g\n",
            exposition->is_array ? "}" : "", value);
    exposition->samples++;
}

void exposition_end(struct exposition *exposition)
{
    end_key(exposition);
    if (exposition->json)
        add(exposition, "\n}\n");
}
