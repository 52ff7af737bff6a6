/* Local attention as a process: reads requests as JSON lines, writes responses. One file, no library.
 *
 *   cc -O2 -o attention examples/process/attention.c -lm
 *   sasakit verify --process ./attention
 *
 * Arrays are row-major: batch, height, width, heads, depth. All arithmetic is in double.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- JSON: a tree of nodes; strings are cut out of the line itself, escapes left as they are. */

typedef struct Node {
    char kind;                       /* { [ s(tring) n(umber) t(rue) f(alse) 0 (null) */
    char *name, *text;               /* name in its object; text of a string */
    double number;
    struct Node *child, *next;
} Node;

static char *at;

static void fail(const char *why) {
    fprintf(stderr, "attention: %s\n", why);
    exit(1);
}

static void *need(size_t bytes) {
    void *memory = calloc(bytes ? bytes : 1, 1);
    if (!memory) fail("out of memory");
    return memory;
}

static void skip(void) { while (*at == ' ' || *at == '\t' || *at == '\r' || *at == '\n') at++; }

static char *string(void) {
    if (*at++ != '"') fail("a string was expected");
    char *start = at;
    while (*at != '"') {
        if (*at == '\\') at++;
        if (!*at) fail("a string does not end");
        at++;
    }
    *at++ = 0;
    return start;
}

static Node *parse(int depth) {
    Node *node = need(sizeof *node);
    if (depth > 32) fail("nested too deep");
    skip();
    if (*at == '{' || *at == '[') {
        char end = *at == '{' ? '}' : ']';
        Node **last = &node->child;
        node->kind = *at++;
        for (skip(); *at != end; skip()) {
            char *name = NULL;
            if (end == '}') {
                name = string();
                skip();
                if (*at++ != ':') fail("a colon was expected");
            }
            *last = parse(depth + 1);
            (*last)->name = name;
            last = &(*last)->next;
            skip();
            if (*at == ',') at++;
            else if (*at != end) fail("a comma was expected");
        }
        at++;
    } else if (*at == '"') {
        node->kind = 's';
        node->text = string();
    } else if (!strncmp(at, "true", 4)) {
        node->kind = 't';
        at += 4;
    } else if (!strncmp(at, "false", 5)) {
        node->kind = 'f';
        at += 5;
    } else if (!strncmp(at, "null", 4)) {
        at += 4;
    } else {
        char *end;
        node->kind = 'n';
        node->number = strtod(at, &end);
        if (end == at) fail("a value was expected");
        at = end;
    }
    return node;
}

static void release(Node *node) {
    while (node) {
        Node *next = node->next;
        release(node->child);
        free(node);
        node = next;
    }
}

static Node *find(Node *object, const char *name) {
    for (Node *node = object->child; node; node = node->next)
        if (node->name && !strcmp(node->name, name)) return node;
    return NULL;
}

static Node *get(Node *object, const char *name) {
    Node *node = find(object, name);
    if (!node) fail(name);
    return node;
}

static int is(Node *object, const char *name, const char *value) {
    Node *node = get(object, name);
    return node->kind == 's' && !strcmp(node->text, value);
}

/* ---- Arrays: base64 of little-endian float64 or float32. */

typedef struct { int axes; long shape[8], size; double *data; } Array;

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static double number_of(const unsigned char *bytes, int width) {
    unsigned long long bits = 0;
    for (int n = width - 1; n >= 0; n--) bits = bits << 8 | bytes[n];
    if (width == 8) {
        double value;
        memcpy(&value, &bits, 8);
        return value;
    }
    unsigned int half = (unsigned int)bits;
    float value;
    memcpy(&value, &half, 4);
    return value;
}

static Array read_array(Node *entry) {
    Array array = {0};
    if (!entry->kind) return array;
    int width = is(entry, "dtype", "float64") ? 8 : 4, filled = 0, pending = 0;
    unsigned int bits = 0;
    unsigned char bytes[8];
    long count = 0;
    array.size = 1;
    for (Node *size = get(entry, "shape")->child; size; size = size->next) {
        if (array.axes == 8) fail("too many axes");
        array.shape[array.axes++] = (long)size->number;
        array.size *= (long)size->number;
    }
    array.data = need(sizeof(double) * (size_t)array.size);
    for (char *text = get(entry, "data")->text; *text && *text != '='; text++) {
        const char *letter = strchr(letters, *text);
        if (!letter) fail("no base64");
        bits = bits << 6 | (unsigned int)(letter - letters);
        if ((pending += 6) < 8) continue;
        bytes[filled++] = (unsigned char)(bits >> (pending -= 8));
        if (filled < width) continue;
        if (count == array.size) fail("more data than the shape has");
        array.data[count++] = number_of(bytes, width);
        filled = 0;
    }
    if (count != array.size) fail("less data than the shape has");
    return array;
}

static void write_bytes(const unsigned char *bytes, long count) {
    for (long n = 0; n < count; n += 3) {
        unsigned int bits = (unsigned int)bytes[n] << 16;
        if (n + 1 < count) bits |= (unsigned int)bytes[n + 1] << 8;
        if (n + 2 < count) bits |= bytes[n + 2];
        putchar(letters[bits >> 18]);
        putchar(letters[bits >> 12 & 63]);
        putchar(n + 1 < count ? letters[bits >> 6 & 63] : '=');
        putchar(n + 2 < count ? letters[bits & 63] : '=');
    }
}

static void write_array(long id, Array array, int width) {
    unsigned char *bytes = need((size_t)(array.size * width));
    for (long n = 0; n < array.size; n++) {
        float narrow = (float)array.data[n];
        unsigned long long bits = 0;
        unsigned int half;
        memcpy(&half, &narrow, 4);
        if (width == 8) memcpy(&bits, &array.data[n], 8);
        else bits = half;
        for (int b = 0; b < width; b++) bytes[n * width + b] = (unsigned char)(bits >> 8 * b);
    }
    printf("{\"id\": %ld, \"shape\": [", id);
    for (int axis = 0; axis < array.axes; axis++)
        printf("%s%ld", axis ? ", " : "", array.shape[axis]);
    printf("], \"data\": \"");
    write_bytes(bytes, array.size * width);
    printf("\"}\n");
    free(bytes);
}

/* ---- The operations, SPEC.md chapters 1 to 5. */

typedef struct {
    long extent, before;
    int shift, exclude, relative, content, scale_both, row_first;
    double scale;
} Options;

static Options read_options(Node *node) {
    Options o;
    o.extent = (long)get(node, "extent")->number;
    o.before = is(node, "even_window", "before") ? o.extent / 2 : (o.extent - 1) / 2;
    o.shift = is(node, "padding", "shift");
    o.exclude = is(node, "padding", "exclude");
    o.relative = is(node, "position", "relative");
    o.content = get(node, "content")->kind == 't';
    o.scale_both = is(node, "scale_terms", "both");
    o.row_first = is(node, "first_half", "row");
    o.scale = get(node, "scale")->number;
    return o;
}

/* First neighbour of the window of `pixel`; *entry is the table's entry that belongs to it. */
static long first_slot(Options o, long pixel, long size, long *entry) {
    long start = pixel - o.before;
    *entry = 0;
    if (!o.shift) return start;
    if (start < 0) start = 0;
    if (start > size - o.extent) start = size - o.extent;
    *entry = start - pixel + o.extent - 1;
    return start;
}

/* Half of q . r: `entry` of a table that is shared (two axes) or each head's own (three). */
static double half_logit(const double *query, Array table, long head, long entry) {
    long half = table.shape[table.axes - 1], entries = table.shape[table.axes - 2];
    const double *row = table.data + ((table.axes == 3 ? head * entries : 0) + entry) * half;
    double sum = 0;
    for (long c = 0; c < half; c++) sum += query[c] * row[c];
    return sum;
}

static double relative_logit(Options o, const double *query, long depth, Array rel_row,
                             Array rel_col, long head, long row, long col) {
    const double *second = query + depth / 2;
    return half_logit(o.row_first ? query : second, rel_row, head, row)
         + half_logit(o.row_first ? second : query, rel_col, head, col);
}

static Array relative_logits(Options o, Array query, Array rel_row, Array rel_col) {
    long height = query.shape[1], width = query.shape[2], heads = query.shape[3];
    long depth = query.shape[4], slots = o.extent * o.extent, row, col;
    Array result = {6, {query.shape[0], height, width, heads, o.extent, o.extent}, 0, NULL};
    long vectors = query.size / depth;
    result.size = vectors * slots;
    result.data = need(sizeof(double) * (size_t)result.size);
    for (long n = 0; n < vectors; n++) {
        long head = n % heads, j = n / heads % width, i = n / heads / width % height;
        first_slot(o, i, height, &row);
        first_slot(o, j, width, &col);
        for (long s = 0; s < slots; s++)
            result.data[n * slots + s] = relative_logit(
                o, query.data + n * depth, depth, rel_row, rel_col, head,
                row + s / o.extent, col + s % o.extent);
    }
    return result;
}

static Array local_attention(Options o, Array query, Array key, Array value, Array rel_row,
                             Array rel_col) {
    long height = query.shape[1], width = query.shape[2], heads = query.shape[3];
    long depth = query.shape[4], slots = o.extent * o.extent, row, col;
    double *logits = need(sizeof(double) * (size_t)slots);
    long *pixels = need(sizeof(long) * (size_t)slots);
    Array result = query;
    result.data = need(sizeof(double) * (size_t)query.size);
    for (long n = 0; n < query.size / depth; n++) {
        long head = n % heads, j = n / heads % width, i = n / heads / width % height;
        long image = n / heads / width / height, top = first_slot(o, i, height, &row);
        long left = first_slot(o, j, width, &col);
        const double *q = query.data + n * depth;
        double most = -INFINITY, sum = 0;
        for (long s = 0; s < slots; s++) {
            long a = top + s / o.extent, b = left + s % o.extent;
            int inside = a >= 0 && a < height && b >= 0 && b < width;
            double content = 0, position = 0;
            pixels[s] = inside ? (((image * height + a) * width + b) * heads + head) * depth : -1;
            if (inside && o.content)
                for (long c = 0; c < depth; c++) content += q[c] * key.data[pixels[s] + c];
            if (o.relative)
                position = relative_logit(o, q, depth, rel_row, rel_col, head,
                                          row + s / o.extent, col + s % o.extent);
            logits[s] = o.scale * content + (o.scale_both ? o.scale : 1) * position;
            if (!inside && o.exclude) logits[s] = -INFINITY;
            if (logits[s] > most) most = logits[s];
        }
        for (long s = 0; s < slots; s++) sum += logits[s] = exp(logits[s] - most);
        for (long s = 0; s < slots; s++)
            for (long c = 0; c < depth && pixels[s] >= 0; c++)
                result.data[n * depth + c] += logits[s] / sum * value.data[pixels[s] + c];
    }
    free(logits);
    free(pixels);
    return result;
}

static void answer(Node *request) {
    Options options = read_options(get(request, "options"));
    Node *entries = get(request, "arrays");
    int attends = is(request, "operation", "local_attention");
    Array query = read_array(get(entries, "query"));
    Array rel_row = read_array(get(entries, "rel_row")), rel_col = read_array(get(entries, "rel_col"));
    Array key = {0}, value = {0}, result;
    if (attends) {
        key = read_array(get(entries, "key"));
        value = read_array(get(entries, "value"));
        result = local_attention(options, query, key, value, rel_row, rel_col);
    } else {
        result = relative_logits(options, query, rel_row, rel_col);
    }
    write_array((long)get(request, "id")->number, result, is(request, "dtype", "float64") ? 8 : 4);
    free(query.data);
    free(rel_row.data);
    free(rel_col.data);
    free(key.data);
    free(value.data);
    free(result.data);
}

static char *read_line(void) {
    size_t size = 1 << 16, used = 0;
    char *line = need(size);
    while (fgets(line + used, (int)(size - used), stdin)) {
        used += strlen(line + used);
        if (line[used - 1] == '\n') return line;
        if (used + 1 == size && !(line = realloc(line, size *= 2))) fail("out of memory");
    }
    free(line);
    return NULL;
}

int main(void) {
    char *line;
    while ((line = read_line())) {
        at = line;
        Node *request = parse(0);
        if (find(request, "hello"))
            puts("{\"hello\": {\"name\": \"attention.c\", \"spec_version\": \"0.1\", "
                 "\"operations\": [\"relative_logits\", \"local_attention\"], "
                 "\"dtypes\": [\"float64\", \"float32\"], \"checks_input\": false, "
                 "\"options\": {\"relative\": [\"shared\", \"per_head\"], "
                 "\"position\": [\"relative\", \"none\"]}}}");
        else answer(request);
        fflush(stdout);
        release(request);
        free(line);
    }
    return 0;
}
