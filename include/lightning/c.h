/* Lightning DB for C and for whatever calls C: the whole database behind opaque handles and stable symbols.
 *
 *   lightning_db* db = NULL;
 *   lightning_error* error = lightning_open("orders", NULL, &db);
 *   if (!error) error = lightning_put(db, NULL, "id:7", 4, "paid", 4, NULL);
 *   if (error) { fprintf(stderr, "%s\n", lightning_error_text(error)); lightning_error_free(error); }
 *   lightning_db_free(db);
 *
 * Errors     A function that can fail answers NULL, or an error that the caller frees. Then out-parameters that are
 *            pointers hold NULL, and others 0 or false. A null handle, a null out-parameter, or a null pointer with a
 *            length above 0 is LIGHTNING_ERROR_INVALID_ARGUMENT. No C++ exception leaves the library: memory that is
 *            not there is LIGHTNING_ERROR_OUT_OF_MEMORY.
 * Bytes      Keys, values and names are a pointer and a length; they may hold any byte, 0 too, and are copied or used
 *            up before the function returns. Texts (const char*) end with a 0 byte and are UTF-8.
 *            Limits: keys 1 byte .. 64 KiB, values 0 bytes .. 512 MiB.
 * Ownership  Whoever is given a handle frees it, with the function named after its type; each takes NULL. What a
 *            function returns as `const` belongs to the handle that it was asked of, and lives as long.
 * Lifetime   Handles hold what they need of the database: they may be freed in any order, after lightning_db_free()
 *            too; the directory is released with the last iterator, snapshot, value or transaction. To free a handle
 *            twice, or to use one that was freed, is undefined.
 * Threads    lightning_db, lightning_keyspace, lightning_snapshot, lightning_pool and lightning_error (for reading):
 *            any function from any thread. All others: one thread at a time. Freeing: nobody else uses the handle.
 * Options    Structs start with their size, which the INIT macros set, so that later versions can add fields. NULL
 *            instead of options stands for the INIT values. Sizes that no version had, fields of a newer version that
 *            are not 0, and values outside their enum are LIGHTNING_ERROR_INVALID_ARGUMENT.
 * Callbacks  Functions of yours get the `context` that came with them. An error that one returns is the library's to
 *            free: one that a call gave, or lightning_error_create(). They must not throw; what one throws all the same
 *            goes no further: it becomes an error, or the answer false.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define LIGHTNING_API __attribute__((visibility("default")))
#define LIGHTNING_CALL LIGHTNING_API __attribute__((warn_unused_result))
#else
#define LIGHTNING_API
#define LIGHTNING_CALL
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* Changes when something that worked stops working; programs built against the same number keep running. */
#define LIGHTNING_C_ABI_VERSION 1
LIGHTNING_API uint32_t lightning_c_abi_version(void); /* of the library that is loaded */
LIGHTNING_API const char* lightning_version(void);    /* "1.0.0" */

typedef struct lightning_error lightning_error;
typedef struct lightning_config lightning_config;
typedef struct lightning_open_options lightning_open_options;
typedef struct lightning_buffer lightning_buffer;
typedef struct lightning_db lightning_db;
typedef struct lightning_keyspace lightning_keyspace;
typedef struct lightning_snapshot lightning_snapshot;
typedef struct lightning_values lightning_values;
typedef struct lightning_batch lightning_batch;
typedef struct lightning_iterator lightning_iterator;
typedef struct lightning_value_writer lightning_value_writer;
typedef struct lightning_value_reader lightning_value_reader;
typedef struct lightning_transaction lightning_transaction;
typedef struct lightning_transaction_list lightning_transaction_list;
typedef struct lightning_snapshot_list lightning_snapshot_list;
typedef struct lightning_index_list lightning_index_list;
typedef struct lightning_index_page lightning_index_page;
typedef struct lightning_check_report lightning_check_report;
typedef struct lightning_pool lightning_pool;
typedef struct lightning_session lightning_session;

/* Some bytes. As a bound of a range, {NULL, 0} is no bound. */
typedef struct lightning_bytes {
  const void* data;
  size_t size;
} lightning_bytes;

/* Frees what a function gave as `void**` or `char**`. */
LIGHTNING_API void lightning_free(void* memory);

/* --- errors -------------------------------------------------------------------------------------------------------
 * The numbers are those that messages show as "LDB-1001", and those of the C++ API. */
typedef enum lightning_code {
  LIGHTNING_OK = 0,
  /* 1xxx: the call is wrong; repeating it unchanged never helps */
  LIGHTNING_ERROR_INVALID_ARGUMENT = 1001,
  LIGHTNING_ERROR_KEY_EMPTY = 1002,
  LIGHTNING_ERROR_KEY_TOO_LARGE = 1003,
  LIGHTNING_ERROR_VALUE_TOO_LARGE = 1004,
  LIGHTNING_ERROR_BATCH_TOO_LARGE = 1005,
  LIGHTNING_ERROR_INVERTED_RANGE = 1006,
  LIGHTNING_ERROR_READ_ONLY_DATABASE = 1007,
  LIGHTNING_ERROR_CONFIG_INVALID = 1008,
  LIGHTNING_ERROR_KEYSPACE_NOT_FOUND = 1009,
  LIGHTNING_ERROR_KEYSPACE_EXISTS = 1010,
  LIGHTNING_ERROR_DATABASE_NOT_FOUND = 1011,
  LIGHTNING_ERROR_DATABASE_EXISTS = 1012,
  LIGHTNING_ERROR_NOT_A_DATABASE = 1013,
  LIGHTNING_ERROR_NOT_SUPPORTED = 1014,
  LIGHTNING_ERROR_INPUT_MALFORMED = 1015,
  LIGHTNING_ERROR_CLOSED = 1016,
  LIGHTNING_ERROR_KEY_NOT_FOUND = 1017,
  LIGHTNING_ERROR_TRANSACTION_ENDED = 1018,
  LIGHTNING_ERROR_TRANSACTION_TOO_LARGE = 1019,
  LIGHTNING_ERROR_READ_ONLY_TRANSACTION = 1020,
  LIGHTNING_ERROR_MERGE_OPERATOR_MISSING = 1021,
  LIGHTNING_ERROR_MERGE_FAILED = 1022,
  LIGHTNING_ERROR_INDEX_NOT_FOUND = 1040,
  LIGHTNING_ERROR_INDEX_EXISTS = 1041,
  LIGHTNING_ERROR_NOT_UNIQUE = 1042,
  LIGHTNING_ERROR_EXTRACT_FAILED = 1043,
  LIGHTNING_ERROR_EXTRACTOR_MISSING = 1044,
  LIGHTNING_ERROR_BACKUP_NOT_FOUND = 1060,
  /* 2xxx: the same call may succeed later */
  LIGHTNING_ERROR_LOCK_HELD = 2001,
  LIGHTNING_ERROR_BUSY = 2002,
  LIGHTNING_ERROR_STALLED = 2003,
  LIGHTNING_ERROR_CANCELLED = 2004,
  LIGHTNING_ERROR_RECOVERY_INTERRUPTED = 2005,
  LIGHTNING_ERROR_CONFLICT = 2006,
  LIGHTNING_ERROR_DEADLOCK = 2007,
  LIGHTNING_ERROR_LOCK_TIMEOUT = 2008,
  LIGHTNING_ERROR_TRANSACTION_EXPIRED = 2009,
  LIGHTNING_ERROR_TOO_MANY_TRANSACTIONS = 2010,
  LIGHTNING_ERROR_SNAPSHOT_TOO_OLD = 2011,
  LIGHTNING_ERROR_INDEX_NOT_READY = 2020,
  /* 3xxx: an operator can restore service */
  LIGHTNING_ERROR_IO = 3001,
  LIGHTNING_ERROR_NO_SPACE = 3002,
  LIGHTNING_ERROR_PERMISSION_DENIED = 3003,
  LIGHTNING_ERROR_STORAGE_UNAVAILABLE = 3004,
  LIGHTNING_ERROR_INSUFFICIENT_RESOURCES = 3005,
  LIGHTNING_ERROR_FORMAT_UNSUPPORTED = 3006,
  LIGHTNING_ERROR_OUT_OF_MEMORY = 3007,
  LIGHTNING_ERROR_READ_ONLY_MODE = 3008,
  /* 4xxx: data is at stake: keep the files */
  LIGHTNING_ERROR_CORRUPTION = 4001,
  LIGHTNING_ERROR_SYNC_FAILED = 4002,
  LIGHTNING_ERROR_TABLE_MISSING = 4003,
  LIGHTNING_ERROR_TABLE_CORRUPT = 4004,
  LIGHTNING_ERROR_WAL_MISSING = 4005,
  LIGHTNING_ERROR_WAL_CORRUPT = 4006,
  LIGHTNING_ERROR_MANIFEST_CORRUPT = 4007,
  LIGHTNING_ERROR_INCONSISTENT_STATE = 4008,
  LIGHTNING_ERROR_BLOB_MISSING = 4009,
  LIGHTNING_ERROR_BLOB_CORRUPT = 4010,
  LIGHTNING_ERROR_STALE_STORE = 4011,
  LIGHTNING_ERROR_BACKUP_CORRUPT = 4020,
  LIGHTNING_ERROR_INTERNAL = 4099
} lightning_code;

typedef enum lightning_category {
  LIGHTNING_CATEGORY_CRITICAL = 0,
  LIGHTNING_CATEGORY_RETRYABLE = 1,
  LIGHTNING_CATEGORY_RECOVERABLE = 2,
  LIGHTNING_CATEGORY_CALLER_FAULT = 3
} lightning_category;

/* Whether a write that failed took place. Only what was not applied may be repeated blindly. */
typedef enum lightning_outcome {
  LIGHTNING_NOT_APPLIED = 0,
  LIGHTNING_APPLIED = 1,
  LIGHTNING_OUTCOME_UNKNOWN = 2
} lightning_outcome;

#define LIGHTNING_NO_OFFSET UINT64_MAX

/* Texts are never NULL: they are empty where nothing is known. Asked of NULL, all answer as for success:
 * LIGHTNING_OK, 0 and empty texts. */
LIGHTNING_API int32_t lightning_error_code(const lightning_error* error);     /* lightning_code; may be a newer one */
LIGHTNING_API int32_t lightning_error_category(const lightning_error* error); /* lightning_category */
LIGHTNING_API int32_t lightning_error_outcome(const lightning_error* error);  /* lightning_outcome */
LIGHTNING_API const char* lightning_error_message(const lightning_error* error); /* what happened, one sentence */
LIGHTNING_API const char* lightning_error_advice(const lightning_error* error);  /* what to do about it */
LIGHTNING_API const char* lightning_error_file(const lightning_error* error);
LIGHTNING_API uint64_t lightning_error_offset(const lightning_error* error);       /* in the file, or NO_OFFSET */
LIGHTNING_API const char* lightning_error_key_range(const lightning_error* error); /* printable; never values */
LIGHTNING_API int32_t lightning_error_os_error(const lightning_error* error);      /* errno, or 0 */
LIGHTNING_API const char* lightning_error_text(const lightning_error* error);      /* all of it, in one line */
LIGHTNING_API void lightning_error_free(lightning_error* error);
/* What a callback of yours says when it fails. Never NULL. code: a lightning_code above 0; what is none becomes
 * LIGHTNING_ERROR_INVALID_ARGUMENT. message: NULL is an empty text. */
LIGHTNING_CALL lightning_error* lightning_error_create(int32_t code, const char* message);

/* --- configuration ------------------------------------------------------------------------------------------------
 * Settings by the names that `lightning_db config --describe` lists, and values as in a file: "512MiB", "25%", "100ms".
 * Names, values and ranges are checked at once, rules between settings when a database is opened.
 * The environment of the process is not looked at. */
LIGHTNING_CALL lightning_error* lightning_config_create(lightning_config** config); /* the defaults */
LIGHTNING_CALL lightning_error* lightning_config_preset(const char* name, lightning_config** config);
LIGHTNING_CALL lightning_error* lightning_config_from_yaml(const char* text, size_t text_size,
                                                           lightning_config** config);
LIGHTNING_CALL lightning_error* lightning_config_from_file(const char* file, lightning_config** config);
LIGHTNING_CALL lightning_error* lightning_config_set(lightning_config* config, const char* name, const char* value);
/* The value as it would be written in a file; the caller frees it with lightning_free(). */
LIGHTNING_CALL lightning_error* lightning_config_get(const lightning_config* config, const char* name, char** value);
/* The directory that the file names, or an empty text. */
LIGHTNING_API const char* lightning_config_path(const lightning_config* config);
LIGHTNING_API void lightning_config_free(lightning_config* config);

/* --- database -----------------------------------------------------------------------------------------------------
 * Opens the database in the directory `path`, creating it if the setting create_if_missing says so, after recovering
 * what a crash left. config: NULL for the defaults; it is copied. */
LIGHTNING_CALL lightning_error* lightning_open(const char* path, const lightning_config* config, lightning_db** db);
/* A consistent view beside a possible writer in another process. Takes no lock and writes nothing. */
LIGHTNING_CALL lightning_error* lightning_open_read_only(const char* path, const lightning_config* config,
                                                         lightning_db** db);
/* With user code (see there); options may be NULL. LIGHTNING_ERROR_INVALID_ARGUMENT also if two merge operators
 * have the same name, or one that of a built-in. A keyspace whose operator is missing, and an index whose extractor is,
 * can be opened and read; what needs it answers MERGE_OPERATOR_MISSING or EXTRACTOR_MISSING. */
LIGHTNING_CALL lightning_error* lightning_open_with(const char* path, const lightning_config* config,
                                                    const lightning_open_options* options, lightning_db** db);
LIGHTNING_CALL lightning_error* lightning_open_read_only_with(const char* path, const lightning_config* config,
                                                              const lightning_open_options* options, lightning_db** db);
/* Makes everything durable and releases the directory, and says whether that worked. Every later call with the handle
 * answers LIGHTNING_ERROR_CLOSED; a second close does nothing. LIGHTNING_ERROR_BUSY, and nothing is closed, while
 * iterators, snapshots, values or transactions are not freed. No other call may run meanwhile. */
LIGHTNING_CALL lightning_error* lightning_close(lightning_db* db);
/* Closes what is not closed, without an answer, once the last handle that needs the database is freed. */
LIGHTNING_API void lightning_db_free(lightning_db* db);
LIGHTNING_API const char* lightning_db_path(const lightning_db* db);
/* The values in effect: what automatic settings were resolved to. */
LIGHTNING_CALL lightning_error* lightning_db_config(const lightning_db* db, lightning_config** config);

/* --- keyspaces ----------------------------------------------------------------------------------------------------
 * Wherever a keyspace is an argument, NULL is the default one. The handle of a keyspace that was dropped answers
 * LIGHTNING_ERROR_KEYSPACE_NOT_FOUND; one of another database LIGHTNING_ERROR_INVALID_ARGUMENT. */
typedef struct lightning_keyspace_options {
  size_t struct_size;
  const char* merge_operator; /* "add", "append", "min", "max", or one's own; NULL or empty: merges are refused */
  int64_t default_ttl_ms;     /* how long records live that have no time of their own; 0: for ever */
  bool counted;               /* lightning_count() is exact without a scan */
  int64_t blob_threshold;     /* values from so many bytes on lie in blob files; 0: never, -1: as the setting says */
} lightning_keyspace_options;
#define LIGHTNING_KEYSPACE_OPTIONS_INIT {sizeof(lightning_keyspace_options), NULL, 0, false, -1}

LIGHTNING_CALL lightning_error* lightning_create_keyspace(lightning_db* db, const void* name, size_t name_size,
                                                          const lightning_keyspace_options* options,
                                                          lightning_keyspace** keyspace);
LIGHTNING_CALL lightning_error* lightning_get_keyspace(lightning_db* db, const void* name, size_t name_size,
                                                       lightning_keyspace** keyspace);
/* LIGHTNING_ERROR_CONFIG_INVALID if it is there with other options. */
LIGHTNING_CALL lightning_error* lightning_get_or_create_keyspace(lightning_db* db, const void* name, size_t name_size,
                                                                 const lightning_keyspace_options* options,
                                                                 lightning_keyspace** keyspace);
LIGHTNING_CALL lightning_error* lightning_drop_keyspace(lightning_db* db, const void* name, size_t name_size);
/* Sorted. `names` is one piece of memory for lightning_free(); `count` entries that point into it. */
LIGHTNING_CALL lightning_error* lightning_list_keyspaces(lightning_db* db, lightning_bytes** names, size_t* count);
LIGHTNING_API lightning_bytes lightning_keyspace_name(const lightning_keyspace* keyspace);
/* Fills `options`, whose struct_size the caller has set; its merge_operator lives as long as the keyspace's handle. */
LIGHTNING_CALL lightning_error* lightning_keyspace_read_options(const lightning_keyspace* keyspace,
                                                                lightning_keyspace_options* options);
LIGHTNING_API void lightning_keyspace_free(lightning_keyspace* keyspace);

/* --- writes -------------------------------------------------------------------------------------------------------
 * Visible to every read that begins after the call returned; durable as `durability` or the setting wal_sync_mode says.
 * A failed write says its outcome. */
typedef enum lightning_durability {
  LIGHTNING_DURABILITY_DEFAULT = 0, /* as the setting says */
  LIGHTNING_DURABILITY_ASYNC = 1,   /* with the operating system at return */
  LIGHTNING_DURABILITY_SYNC = 2     /* on disk at return */
} lightning_durability;

typedef struct lightning_write_options {
  size_t struct_size;
  int32_t durability; /* lightning_durability */
  /* When what is put expires: from then on no read finds it. Of puts alone. Not both; neither: as the keyspace says. */
  int64_t ttl_ms;        /* from the write on; 0: not given */
  int64_t expires_at_ms; /* since 1970-01-01 00:00 UTC, or LIGHTNING_NEVER_EXPIRES; 0: not given */
} lightning_write_options;
#define LIGHTNING_NEVER_EXPIRES INT64_MAX
#define LIGHTNING_WRITE_OPTIONS_INIT {sizeof(lightning_write_options), LIGHTNING_DURABILITY_DEFAULT, 0, 0}

LIGHTNING_CALL lightning_error* lightning_put(lightning_db* db, const lightning_keyspace* keyspace, const void* key,
                                              size_t key_size, const void* value, size_t value_size,
                                              const lightning_write_options* options);
/* No error if the key is absent. */
LIGHTNING_CALL lightning_error* lightning_erase(lightning_db* db, const lightning_keyspace* keyspace, const void* key,
                                                size_t key_size, const lightning_write_options* options);
/* Changes the value by the keyspace's merge operator, without reading it. Operands of add, min and max are 8 bytes, a
 * signed integer, little-endian. */
LIGHTNING_CALL lightning_error* lightning_merge(lightning_db* db, const lightning_keyspace* keyspace, const void* key,
                                                size_t key_size, const void* operand, size_t operand_size,
                                                const lightning_write_options* options);
/* Every key of the range that was written before; NULL for a bound: none. LIGHTNING_ERROR_INVERTED_RANGE. In a keyspace
   that is counted or indexed key by key: LIGHTNING_ERROR_TRANSACTION_TOO_LARGE, LIGHTNING_ERROR_CONFLICT. */
LIGHTNING_CALL lightning_error* lightning_erase_range(lightning_db* db, const lightning_keyspace* keyspace,
                                                      const lightning_bytes* start, const lightning_bytes* end,
                                                      const lightning_write_options* options);
/* The end of the range of all keys that begin with `prefix`: the first key behind them, for lightning_free(). NULL:
   none is behind them, and the range has no end. */
LIGHTNING_CALL lightning_error* lightning_prefix_end(const void* prefix, size_t prefix_size, void** end,
                                                     size_t* end_size);
/* Writes `value` if the key is absent. */
LIGHTNING_CALL lightning_error* lightning_put_if_absent(lightning_db* db, const lightning_keyspace* keyspace,
                                                        const void* key, size_t key_size, const void* value,
                                                        size_t value_size, const lightning_write_options* options,
                                                        bool* applied);
/* Writes `desired` (NULL: erases) if the key's value is `expected` (NULL: if it is absent). */
LIGHTNING_CALL lightning_error* lightning_compare_and_set(lightning_db* db, const lightning_keyspace* keyspace,
                                                          const void* key, size_t key_size,
                                                          const lightning_bytes* expected,
                                                          const lightning_bytes* desired,
                                                          const lightning_write_options* options, bool* applied);
/* As lightning_compare_and_set(), and says more. If it was not applied, `current` is a copy of the value that was found
 * instead, for lightning_free(), or NULL if the key is absent; if it was, `sequence` is that of the write. Both, with
 * current_size, may be NULL. */
LIGHTNING_CALL lightning_error* lightning_compare_and_exchange(
    lightning_db* db, const lightning_keyspace* keyspace, const void* key, size_t key_size,
    const lightning_bytes* expected, const lightning_bytes* desired, const lightning_write_options* options,
    bool* applied, void** current, size_t* current_size, uint64_t* sequence);
/* Everything acknowledged before is on disk at return. */
LIGHTNING_CALL lightning_error* lightning_sync(lightning_db* db);

/* Operations that take effect together or not at all; later ones on the same key win. A batch can be written several
 * times, and belongs to the database of the keyspaces that it names. */
LIGHTNING_CALL lightning_error* lightning_batch_create(lightning_batch** batch);
LIGHTNING_CALL lightning_error* lightning_batch_put(lightning_batch* batch, const lightning_keyspace* keyspace,
                                                    const void* key, size_t key_size, const void* value,
                                                    size_t value_size);
/* As in lightning_write_options; a ttl counts from the moment the batch is written. */
LIGHTNING_CALL lightning_error* lightning_batch_put_expiring(lightning_batch* batch, const lightning_keyspace* keyspace,
                                                             const void* key, size_t key_size, const void* value,
                                                             size_t value_size, int64_t ttl_ms, int64_t expires_at_ms);
LIGHTNING_CALL lightning_error* lightning_batch_merge(lightning_batch* batch, const lightning_keyspace* keyspace,
                                                      const void* key, size_t key_size, const void* operand,
                                                      size_t operand_size);
LIGHTNING_CALL lightning_error* lightning_batch_erase(lightning_batch* batch, const lightning_keyspace* keyspace,
                                                      const void* key, size_t key_size);
/* In a keyspace that is counted or indexed lightning_write() refuses it: LIGHTNING_ERROR_NOT_SUPPORTED. */
LIGHTNING_CALL lightning_error* lightning_batch_erase_range(lightning_batch* batch, const lightning_keyspace* keyspace,
                                                            const lightning_bytes* start, const lightning_bytes* end);
LIGHTNING_API size_t lightning_batch_length(const lightning_batch* batch); /* operations */
LIGHTNING_API size_t lightning_batch_bytes(const lightning_batch* batch);  /* as it is written; at most 1 GiB */
/* Makes room for so many bytes in all, so that what follows allocates nothing. */
LIGHTNING_CALL lightning_error* lightning_batch_reserve(lightning_batch* batch, size_t bytes);
LIGHTNING_API void lightning_batch_clear(lightning_batch* batch);
LIGHTNING_API void lightning_batch_free(lightning_batch* batch);
/* sequence: of the last operation; may be NULL. */
LIGHTNING_CALL lightning_error* lightning_write(lightning_db* db, const lightning_batch* batch,
                                                const lightning_write_options* options, uint64_t* sequence);

/* --- reads --------------------------------------------------------------------------------------------------------
 * Absence is an answer, not an error. */
typedef struct lightning_read_options {
  size_t struct_size;
  const lightning_snapshot* snapshot; /* NULL: the newest visible write */
  bool fill_cache;                    /* false: a miss does not enter the cache */
} lightning_read_options;
#define LIGHTNING_READ_OPTIONS_INIT {sizeof(lightning_read_options), NULL, true}

/* A copy of the value, for lightning_free(); NULL if the key is absent. A value of no bytes is not NULL. */
LIGHTNING_CALL lightning_error* lightning_get(lightning_db* db, const lightning_keyspace* keyspace, const void* key,
                                              size_t key_size, const lightning_read_options* options, void** value,
                                              size_t* value_size);
/* When the record expires, in milliseconds since 1970-01-01 00:00 UTC; LIGHTNING_NEVER_EXPIRES if it does not, 0 if
 * there is no such record. */
LIGHTNING_CALL lightning_error* lightning_expires_at(lightning_db* db, const lightning_keyspace* keyspace,
                                                     const void* key, size_t key_size,
                                                     const lightning_read_options* options, int64_t* expires_at_ms);
/* The values of `count` keys, all of the same moment, without copying. They pin blocks of the cache until freed. */
LIGHTNING_CALL lightning_error* lightning_multi_get(lightning_db* db, const lightning_keyspace* keyspace,
                                                    const lightning_bytes* keys, size_t count,
                                                    const lightning_read_options* options, lightning_values** values);
/* False if that key is absent, or index is not below the count. `value` lives until lightning_values_free(). */
LIGHTNING_API bool lightning_values_get(const lightning_values* values, size_t index, lightning_bytes* value);
LIGHTNING_API size_t lightning_values_count(const lightning_values* values);
LIGHTNING_API void lightning_values_free(lightning_values* values);

/* --- values in pieces ---------------------------------------------------------------------------------------------
 * Up to 512 MiB in bounded memory. A writer or reader is used by one thread at a time. */
LIGHTNING_CALL lightning_error* lightning_put_stream(lightning_db* db, const lightning_keyspace* keyspace,
                                                     const void* key, size_t key_size, lightning_value_writer** writer);
LIGHTNING_CALL lightning_error* lightning_value_writer_append(lightning_value_writer* writer, const void* data,
                                                              size_t size);
LIGHTNING_API uint64_t lightning_value_writer_size(const lightning_value_writer* writer); /* appended so far */
/* Makes what was appended the key's value, once. Nobody sees anything of it before. */
LIGHTNING_CALL lightning_error* lightning_value_writer_commit(lightning_value_writer* writer,
                                                              const lightning_write_options* options);
/* Without a commit nothing is left. */
LIGHTNING_API void lightning_value_writer_free(lightning_value_writer* writer);
/* The value of one moment, whatever is written later; NULL if the key is absent. */
LIGHTNING_CALL lightning_error* lightning_get_stream(lightning_db* db, const lightning_keyspace* keyspace,
                                                     const void* key, size_t key_size,
                                                     const lightning_read_options* options,
                                                     lightning_value_reader** reader);
LIGHTNING_API uint64_t lightning_value_reader_size(const lightning_value_reader* reader);
/* `size` bytes from `offset` on, verified; LIGHTNING_ERROR_INVALID_ARGUMENT if the value ends before. */
LIGHTNING_CALL lightning_error* lightning_value_reader_read(lightning_value_reader* reader, uint64_t offset, void* into,
                                                            size_t size);
LIGHTNING_API void lightning_value_reader_free(lightning_value_reader* reader);

/* --- snapshots and iterators --------------------------------------------------------------------------------------
 * A frozen view of the whole database. It keeps old versions of what is overwritten, at most for snapshot_age_max. */
/* owner: who this is, for people; NULL: nobody. */
LIGHTNING_CALL lightning_error* lightning_snapshot_create(lightning_db* db, const char* owner,
                                                          lightning_snapshot** snapshot);
LIGHTNING_API uint64_t lightning_snapshot_sequence(const lightning_snapshot* snapshot);
LIGHTNING_API void lightning_snapshot_free(lightning_snapshot* snapshot);

typedef struct lightning_snapshot_info {
  uint64_t sequence;
  const char* owner;    /* these texts live as long as the list */
  uint64_t transaction; /* its id, if the snapshot belongs to one */
  int64_t age_ms;
  uint64_t writes_since; /* sequences given out since */
  uint64_t pinned_bytes; /* estimate, from above: old versions that are kept for it */
} lightning_snapshot_info;
/* All live snapshots, those of transactions too, oldest first. */
LIGHTNING_CALL lightning_error* lightning_list_snapshots(lightning_db* db, lightning_snapshot_list** list);
LIGHTNING_API size_t lightning_snapshot_list_length(const lightning_snapshot_list* list);
/* size: sizeof(lightning_snapshot_info), of the version that the caller was compiled with. */
LIGHTNING_CALL lightning_error* lightning_snapshot_list_get(const lightning_snapshot_list* list, size_t index,
                                                            lightning_snapshot_info* info, size_t size);
LIGHTNING_API void lightning_snapshot_list_free(lightning_snapshot_list* list);

typedef struct lightning_iterate_options {
  size_t struct_size;
  const lightning_snapshot* snapshot; /* NULL: what was visible when the iterator was made */
  lightning_bytes lower_bound;        /* inclusive */
  lightning_bytes upper_bound;        /* exclusive */
  lightning_bytes prefix;             /* joins the bounds */
  bool fill_cache;                    /* false for long scans that should leave the cache alone */
} lightning_iterate_options;
#define LIGHTNING_ITERATE_OPTIONS_INIT {sizeof(lightning_iterate_options), NULL, {NULL, 0}, {NULL, 0}, {NULL, 0}, true}

/* Stands nowhere until it is moved. An end is only an end if the status is NULL; a move that fails makes the iterator
 * invalid. Functions on NULL do nothing; key and value where it is not valid are {NULL, 0}; next and prev stay there.
 */
LIGHTNING_CALL lightning_error* lightning_iterate(lightning_db* db, const lightning_keyspace* keyspace,
                                                  const lightning_iterate_options* options,
                                                  lightning_iterator** iterator);
LIGHTNING_API bool lightning_iterator_valid(const lightning_iterator* iterator);
LIGHTNING_API void lightning_iterator_seek_to_first(lightning_iterator* iterator);
LIGHTNING_API void lightning_iterator_seek_to_last(lightning_iterator* iterator);
LIGHTNING_API void lightning_iterator_seek(lightning_iterator* iterator, const void* target, size_t target_size);
LIGHTNING_API void lightning_iterator_seek_for_prev(lightning_iterator* iterator, const void* target,
                                                    size_t target_size); /* last key at or before the target */
LIGHTNING_API void lightning_iterator_next(lightning_iterator* iterator);
LIGHTNING_API void lightning_iterator_prev(lightning_iterator* iterator);
LIGHTNING_API lightning_bytes lightning_iterator_key(const lightning_iterator* iterator);   /* until the next move */
LIGHTNING_API lightning_bytes lightning_iterator_value(const lightning_iterator* iterator); /* until the next move */
/* As lightning_expires_at(); 0 where it is not valid. */
LIGHTNING_API int64_t lightning_iterator_expires_at(const lightning_iterator* iterator);
/* What was erased, singly or in a range, and had to be stepped over all the same, by all moves so far. */
LIGHTNING_API uint64_t lightning_iterator_tombstones_passed(const lightning_iterator* iterator);
LIGHTNING_CALL lightning_error* lightning_iterator_status(const lightning_iterator* iterator);
LIGHTNING_API void lightning_iterator_free(lightning_iterator* iterator);

/* --- transactions -------------------------------------------------------------------------------------------------
 * What each level forbids: docs/guarantees.md. Functions of a transaction that has ended answer
 * LIGHTNING_ERROR_TRANSACTION_ENDED. After a deadlock, a conflict or an expiry it has been rolled back. */
typedef enum lightning_isolation {
  LIGHTNING_READ_COMMITTED = 0,
  LIGHTNING_ISOLATION_SNAPSHOT = 1,
  LIGHTNING_SERIALIZABLE = 2
} lightning_isolation;

typedef enum lightning_concurrency {
  LIGHTNING_OPTIMISTIC = 0, /* conflicts are found at commit; nothing waits */
  LIGHTNING_PESSIMISTIC = 1 /* keys are locked when they are written or read for update */
} lightning_concurrency;

typedef enum lightning_transaction_state {
  LIGHTNING_TRANSACTION_ACTIVE = 0,
  LIGHTNING_TRANSACTION_COMMITTED = 1,
  LIGHTNING_TRANSACTION_ROLLED_BACK = 2,
  LIGHTNING_TRANSACTION_EXPIRED = 3,
  LIGHTNING_TRANSACTION_UNKNOWN = 4 /* commit failed with LIGHTNING_OUTCOME_UNKNOWN */
} lightning_transaction_state;

typedef struct lightning_transaction_options {
  size_t struct_size;
  int32_t isolation;        /* lightning_isolation */
  int32_t concurrency;      /* lightning_concurrency */
  int32_t durability;       /* lightning_durability, of the commit */
  bool read_only;           /* writes and reads for update are refused */
  const char* owner;        /* for people, in lists and in the errors of others; NULL: nothing */
  int64_t lock_timeout_ms;  /* longest wait for one lock; 0: never waits; below 0: as the setting says */
  int64_t idle_timeout_ms;  /* between two calls; 0: no limit; below 0: as the setting says */
  int64_t total_timeout_ms; /* until commit; 0: no limit; below 0: as the setting says */
} lightning_transaction_options;
#define LIGHTNING_TRANSACTION_OPTIONS_INIT \
  {sizeof(lightning_transaction_options),  \
   LIGHTNING_ISOLATION_SNAPSHOT,           \
   LIGHTNING_OPTIMISTIC,                   \
   LIGHTNING_DURABILITY_DEFAULT,           \
   false,                                  \
   NULL,                                   \
   -1,                                     \
   -1,                                     \
   -1}

/* A place in a transaction's writes to come back to. What is inside is the library's. */
typedef struct lightning_savepoint {
  uint64_t opaque[2];
} lightning_savepoint;

LIGHTNING_CALL lightning_error* lightning_begin(lightning_db* db, const lightning_transaction_options* options,
                                                lightning_transaction** transaction);
LIGHTNING_CALL lightning_error* lightning_transaction_put(lightning_transaction* transaction,
                                                          const lightning_keyspace* keyspace, const void* key,
                                                          size_t key_size, const void* value, size_t value_size);
/* As in lightning_write_options; a ttl counts from this call. */
LIGHTNING_CALL lightning_error* lightning_transaction_put_expiring(lightning_transaction* transaction,
                                                                   const lightning_keyspace* keyspace, const void* key,
                                                                   size_t key_size, const void* value,
                                                                   size_t value_size, int64_t ttl_ms,
                                                                   int64_t expires_at_ms);
LIGHTNING_CALL lightning_error* lightning_transaction_merge(lightning_transaction* transaction,
                                                            const lightning_keyspace* keyspace, const void* key,
                                                            size_t key_size, const void* operand, size_t operand_size);
LIGHTNING_CALL lightning_error* lightning_transaction_erase(lightning_transaction* transaction,
                                                            const lightning_keyspace* keyspace, const void* key,
                                                            size_t key_size);
LIGHTNING_CALL lightning_error* lightning_transaction_erase_range(lightning_transaction* transaction,
                                                                  const lightning_keyspace* keyspace,
                                                                  const lightning_bytes* start,
                                                                  const lightning_bytes* end);
/* As lightning_get(), own writes first. */
LIGHTNING_CALL lightning_error* lightning_transaction_get(lightning_transaction* transaction,
                                                          const lightning_keyspace* keyspace, const void* key,
                                                          size_t key_size, void** value, size_t* value_size);
/* And the key, which may be absent, is unchanged until this transaction commits. */
LIGHTNING_CALL lightning_error* lightning_transaction_get_for_update(lightning_transaction* transaction,
                                                                     const lightning_keyspace* keyspace,
                                                                     const void* key, size_t key_size, void** value,
                                                                     size_t* value_size);
/* As lightning_multi_get(), own writes first. The values outlive the transaction. */
LIGHTNING_CALL lightning_error* lightning_transaction_multi_get(lightning_transaction* transaction,
                                                                const lightning_keyspace* keyspace,
                                                                const lightning_bytes* keys, size_t count,
                                                                lightning_values** values);
/* Sees own writes, later ones too. options->snapshot must be NULL. */
LIGHTNING_CALL lightning_error* lightning_transaction_iterate(lightning_transaction* transaction,
                                                              const lightning_keyspace* keyspace,
                                                              const lightning_iterate_options* options,
                                                              lightning_iterator** iterator);
LIGHTNING_CALL lightning_error* lightning_transaction_set_savepoint(lightning_transaction* transaction,
                                                                    lightning_savepoint* savepoint);
/* Undoes all writes since the savepoint, which may be used again; those after it may not. */
LIGHTNING_CALL lightning_error* lightning_transaction_rollback_to(lightning_transaction* transaction,
                                                                  const lightning_savepoint* savepoint);
/* All writes or none. Whatever it answers, the transaction has ended. sequence: of its last write; may be NULL. */
LIGHTNING_CALL lightning_error* lightning_transaction_commit(lightning_transaction* transaction, uint64_t* sequence);
/* With the durability that the options say. They must give no lifetime. */
LIGHTNING_CALL lightning_error* lightning_transaction_commit_with(lightning_transaction* transaction,
                                                                  const lightning_write_options* options,
                                                                  uint64_t* sequence);
LIGHTNING_CALL lightning_error* lightning_transaction_rollback(lightning_transaction* transaction);
/* lightning_transaction_state; of NULL: rolled back. */
LIGHTNING_API int32_t lightning_transaction_get_state(const lightning_transaction* transaction);
LIGHTNING_API uint64_t lightning_transaction_id(const lightning_transaction* transaction);
/* The moment that its reads see; at read committed the newest. Like the two below 0 for NULL. */
LIGHTNING_API uint64_t lightning_transaction_snapshot_sequence(const lightning_transaction* transaction);
/* Memory of writes and of what was read, of which transaction_memory_bytes is the limit. */
LIGHTNING_API uint64_t lightning_transaction_bytes(const lightning_transaction* transaction);
LIGHTNING_API uint64_t lightning_transaction_operations(const lightning_transaction* transaction); /* keys written */
LIGHTNING_API void lightning_transaction_free(lightning_transaction* transaction); /* rolls back what is active */

/* How lightning_run_transaction() tries again. Pauses grow from `backoff_us` to `backoff_max_us`, doubling, and are
 * drawn at random from zero to that. */
typedef struct lightning_retry_options {
  size_t struct_size;
  uint32_t retries; /* after the first try */
  int64_t backoff_us, backoff_max_us;
} lightning_retry_options;
#define LIGHTNING_RETRY_OPTIONS_INIT {sizeof(lightning_retry_options), 10, 200, 100000}

/* NULL: done, to be committed. The transaction is lent: to free it does nothing, and it ends with the call. */
typedef lightning_error* (*lightning_transaction_body)(void* context, lightning_transaction* transaction);
/* Runs `body` in a transaction and commits it. If either fails with an error that is retryable and was not applied, it
 * is rolled back and tried again from the start; after the last retry, or any other error, that error is the answer,
 * and nothing was applied unless its outcome says otherwise. If the body itself rolls back, that is the end, without an
 * error. It may run several times: what it does outside its transaction it does each time. */
LIGHTNING_CALL lightning_error* lightning_run_transaction(lightning_db* db,
                                                          const lightning_transaction_options* options,
                                                          const lightning_retry_options* retries,
                                                          lightning_transaction_body body, void* context);

typedef struct lightning_transaction_info {
  uint64_t id;
  const char* owner;   /* these texts live as long as the list */
  int32_t isolation;   /* lightning_isolation */
  int32_t concurrency; /* lightning_concurrency */
  bool read_only;
  int64_t age_ms, idle_ms;
  uint64_t snapshot;     /* the sequence of what it sees; 0: it pins nothing */
  uint64_t writes_since; /* sequences given out since */
  uint64_t pinned_bytes; /* estimate, from above: old versions that are kept for it */
  uint64_t bytes;        /* memory of writes and of what was read */
  uint64_t locks;        /* keys locked */
  const char* waits_for; /* the key whose lock it waits for, printable; empty: it does not wait */
} lightning_transaction_info;
/* Those that are active, oldest first. */
LIGHTNING_CALL lightning_error* lightning_list_transactions(lightning_db* db, lightning_transaction_list** list);
LIGHTNING_API size_t lightning_transaction_list_length(const lightning_transaction_list* list);
/* size: sizeof(lightning_transaction_info), of the version that the caller was compiled with. */
LIGHTNING_CALL lightning_error* lightning_transaction_list_get(const lightning_transaction_list* list, size_t index,
                                                               lightning_transaction_info* info, size_t size);
LIGHTNING_API void lightning_transaction_list_free(lightning_transaction_list* list);

/* --- secondary indexes ---------------------------------------------------------------------------------------------
 * Records found by what is in them. An index is kept by the same commit as its records; from its creation on, writes
 * may answer NOT_UNIQUE or EXTRACT_FAILED. */
typedef enum lightning_extractor {
  LIGHTNING_EXTRACT_JSON_POINTER = 0, /* a string, number or boolean in a value that is JSON */
  LIGHTNING_EXTRACT_BYTES = 1,        /* `bytes` bytes from `offset` on */
  LIGHTNING_EXTRACT_FIELD = 2,        /* the field of this number, from 0, that `delimiter` separates */
  LIGHTNING_EXTRACT_USER = 3          /* what the program's own `user_extractor` says: lightning_user_extractor */
} lightning_extractor;

typedef struct lightning_index_options {
  size_t struct_size;
  int32_t extractor;        /* lightning_extractor */
  const char* json_pointer; /* RFC 6901: "/address/city" */
  uint32_t offset, bytes;
  uint32_t field;
  char delimiter;
  bool of_key;     /* bytes or field of the key, not of the value */
  bool unique;     /* no two records with the same value */
  bool leave_out;  /* a record in which nothing can be found is in no index; else it is refused: EXTRACT_FAILED */
  bool background; /* create and rebuild return when building has begun: lightning_index_get_state() */
  /* Called now and then while building, from the thread that builds; false cancels and drops the index. May be NULL.
   * It must not throw, nor call the database. */
  bool (*progress)(void* context, uint64_t records, uint64_t records_total);
  void* context;
  const char* user_extractor;
} lightning_index_options;
#define LIGHTNING_INDEX_OPTIONS_INIT \
  {sizeof(lightning_index_options),  \
   LIGHTNING_EXTRACT_JSON_POINTER,   \
   NULL,                             \
   0,                                \
   0,                                \
   0,                                \
   ',',                              \
   false,                            \
   false,                            \
   false,                            \
   false,                            \
   NULL,                             \
   NULL,                             \
   NULL}

typedef enum lightning_index_state {
  LIGHTNING_INDEX_BUILDING = 0,
  LIGHTNING_INDEX_READY = 1,
  LIGHTNING_INDEX_FAILED = 2 /* it could not be built: rebuild it when the records are corrected, or drop it */
} lightning_index_state;

LIGHTNING_CALL lightning_error* lightning_create_index(lightning_db* db, const lightning_keyspace* keyspace,
                                                       const void* name, size_t name_size,
                                                       const lightning_index_options* options);
LIGHTNING_CALL lightning_error* lightning_drop_index(lightning_db* db, const lightning_keyspace* keyspace,
                                                     const void* name, size_t name_size);
/* Throws the entries away and builds them anew. Of the options only background and progress count; may be NULL. */
LIGHTNING_CALL lightning_error* lightning_rebuild_index(lightning_db* db, const lightning_keyspace* keyspace,
                                                        const void* name, size_t name_size,
                                                        const lightning_index_options* options);
/* state: lightning_index_state. records, records_total: while it is being built; may be NULL. */
LIGHTNING_CALL lightning_error* lightning_index_get_state(lightning_db* db, const lightning_keyspace* keyspace,
                                                          const void* name, size_t name_size, int32_t* state,
                                                          uint64_t* records, uint64_t* records_total);
/* Their names, as lightning_list_keyspaces(). */
LIGHTNING_CALL lightning_error* lightning_list_indexes(lightning_db* db, const lightning_keyspace* keyspace,
                                                       lightning_bytes** names, size_t* count);

typedef struct lightning_index_info {
  lightning_bytes keyspace, name; /* what these and the texts point to lives as long as the list */
  int32_t extractor;              /* lightning_extractor; it says which of the next count, as in the options */
  const char* json_pointer;
  uint32_t offset, bytes;
  uint32_t field;
  char delimiter;
  bool of_key;
  const char* user_extractor;
  bool unique, leave_out;
  int32_t state;                   /* lightning_index_state */
  uint64_t records, records_total; /* looked at while it is built, and about how many there are */
  const char* error;               /* LIGHTNING_INDEX_FAILED: why */
  uint64_t stored_bytes;           /* about */
} lightning_index_info;
/* The indexes of a keyspace, by name; of all keyspaces, by keyspace and name. */
LIGHTNING_CALL lightning_error* lightning_describe_indexes(lightning_db* db, const lightning_keyspace* keyspace,
                                                           lightning_index_list** list);
LIGHTNING_CALL lightning_error* lightning_describe_all_indexes(lightning_db* db, lightning_index_list** list);
LIGHTNING_API size_t lightning_index_list_length(const lightning_index_list* list);
/* size: sizeof(lightning_index_info), of the version that the caller was compiled with. */
LIGHTNING_CALL lightning_error* lightning_index_list_get(const lightning_index_list* list, size_t index,
                                                         lightning_index_info* info, size_t size);
LIGHTNING_API void lightning_index_list_free(lightning_index_list* list);

/* What was extracted. In order: false, true, numbers by size (all kinds of them together), strings by bytes. */
typedef enum lightning_value_kind {
  LIGHTNING_VALUE_NONE = 0,
  LIGHTNING_VALUE_BOOLEAN = 1,
  LIGHTNING_VALUE_INTEGER = 2,
  LIGHTNING_VALUE_UNSIGNED = 3, /* what INTEGER cannot hold */
  LIGHTNING_VALUE_NUMBER = 4,
  LIGHTNING_VALUE_STRING = 5
} lightning_value_kind;
typedef struct lightning_index_value {
  int32_t kind; /* lightning_value_kind: which of the others counts */
  bool boolean;
  int64_t integer;
  uint64_t unsigned_integer;
  double number;
  lightning_bytes string;
} lightning_index_value;

typedef struct lightning_index_query {
  size_t struct_size;
  /* NONE: no bound; with one bound alone, values of its kind (boolean, number, string) are meant. */
  lightning_index_value from, to;
  bool from_exclusive, to_exclusive;
  lightning_bytes prefix;             /* strings that begin with this; not together with bounds */
  bool reverse;                       /* from the largest value down */
  bool with_records;                  /* the records' values, too */
  uint32_t limit;                     /* matches in a page, 1 .. 100,000 */
  lightning_bytes continuation;       /* of the page before, of the same query */
  const lightning_snapshot* snapshot; /* NULL: the newest visible write. NULL in a transaction, which has its own */
} lightning_index_query;
#define LIGHTNING_INDEX_QUERY_INIT \
  {sizeof(lightning_index_query),  \
   {0, false, 0, 0, 0, {NULL, 0}}, \
   {0, false, 0, 0, 0, {NULL, 0}}, \
   false,                          \
   false,                          \
   {NULL, 0},                      \
   false,                          \
   false,                          \
   100,                            \
   {NULL, 0},                      \
   NULL}

/* query may be NULL: all of it. */
LIGHTNING_CALL lightning_error* lightning_query_index(lightning_db* db, const lightning_keyspace* keyspace,
                                                      const void* name, size_t name_size,
                                                      const lightning_index_query* query, lightning_index_page** page);
/* Sees own writes. At serializable isolation what was looked at must be unchanged at the commit. */
LIGHTNING_CALL lightning_error* lightning_transaction_query_index(lightning_transaction* transaction,
                                                                  const lightning_keyspace* keyspace, const void* name,
                                                                  size_t name_size, const lightning_index_query* query,
                                                                  lightning_index_page** page);
/* Matches, in the order of the query. What is asked of an index beyond them, or of NULL, is NONE or empty. */
LIGHTNING_API size_t lightning_index_page_length(const lightning_index_page* page);
LIGHTNING_API lightning_index_value lightning_index_page_value(const lightning_index_page* page, size_t index);
LIGHTNING_API lightning_bytes lightning_index_page_key(const lightning_index_page* page, size_t index);
LIGHTNING_API lightning_bytes lightning_index_page_record(const lightning_index_page* page, size_t index);
/* Empty: this was the last page. */
LIGHTNING_API lightning_bytes lightning_index_page_continuation(const lightning_index_page* page);
LIGHTNING_API void lightning_index_page_free(lightning_index_page* page);

/* --- user code ----------------------------------------------------------------------------------------------------
 * Merge operators and extractors of your own. They are registered whenever the database is opened, under the names that
 * keyspaces and indexes keep, and called by any number of threads at once; they must not call the database. What they
 * answer must depend on their arguments alone, and never change under the same name: the store holds what they made.
 * destroy(context) is called once, by any thread, when neither these options nor a database that was opened with them
 * is left; after an error of the function that was to take it the context is still yours. */

/* Where a callback puts bytes that it makes; empty when it is called, and gone when it returns. */
LIGHTNING_CALL lightning_error* lightning_buffer_append(lightning_buffer* buffer, const void* data, size_t size);

typedef struct lightning_merge_operator {
  size_t struct_size;
  const char* name; /* not one of those built in: "add", "append", "min", "max" */
  void* context;
  void (*destroy)(void* context); /* may be NULL */
  /* Whether this is an operand, asked before it is written; the error should be INVALID_ARGUMENT. NULL: all are. */
  lightning_error* (*check)(void* context, const void* operand, size_t operand_size);
  /* The value that `operands`, oldest first, make of `base` (NULL: the key is absent). An error: reads of the key
   * answer LIGHTNING_ERROR_MERGE_FAILED with its text, and the record stays as it was stored. */
  lightning_error* (*merge)(void* context, const void* key, size_t key_size, const lightning_bytes* base,
                            const lightning_bytes* operands, size_t count, lightning_buffer* value);
  /* One operand that does to every base what `older` and then `newer` do; false if there is none. NULL: operands are
   * kept until they meet their base. */
  bool (*combine)(void* context, const void* key, size_t key_size, lightning_bytes older, lightning_bytes newer,
                  lightning_buffer* combined);
} lightning_merge_operator;
#define LIGHTNING_MERGE_OPERATOR_INIT {sizeof(lightning_merge_operator), NULL, NULL, NULL, NULL, NULL, NULL}

typedef struct lightning_user_extractor {
  size_t struct_size;
  const char* name;
  void* context;
  void (*destroy)(void* context); /* may be NULL */
  /* Sets `found`, which comes as LIGHTNING_VALUE_NONE: no entry. A string may lie in key or value, or be appended to
   * `text`: then found->string stays {NULL, 0}. An error is a failure, of which the index's leave_out decides. */
  lightning_error* (*extract)(void* context, const void* key, size_t key_size, const void* value, size_t value_size,
                              lightning_index_value* found, lightning_buffer* text);
} lightning_user_extractor;
#define LIGHTNING_USER_EXTRACTOR_INIT {sizeof(lightning_user_extractor), NULL, NULL, NULL, NULL}

/* What a program gives to a database beside its configuration; good for opening several times. */
LIGHTNING_CALL lightning_error* lightning_open_options_create(lightning_open_options** options);
LIGHTNING_CALL lightning_error* lightning_open_options_add_merge_operator(
    lightning_open_options* options, const lightning_merge_operator* merge_operator);
LIGHTNING_CALL lightning_error* lightning_open_options_add_extractor(lightning_open_options* options,
                                                                     const lightning_user_extractor* extractor);
/* Of the default keyspace, if the database is created. One that exists keeps its own. */
LIGHTNING_CALL lightning_error* lightning_open_options_set_default_keyspace(lightning_open_options* options,
                                                                            const lightning_keyspace_options* keyspace);
LIGHTNING_API void lightning_open_options_free(lightning_open_options* options);

/* --- upkeep -------------------------------------------------------------------------------------------------------*/
/* Writes what is in memory to tables; durable at return. */
LIGHTNING_CALL lightning_error* lightning_flush(lightning_db* db);

typedef enum lightning_bottom_level {
  LIGHTNING_BOTTOM_LEAVE = 0,   /* tables that are alone in their range stay as they are */
  LIGHTNING_BOTTOM_RECLAIM = 1, /* those that hold what nobody can read are written anew */
  LIGHTNING_BOTTOM_REWRITE = 2  /* all are written anew */
} lightning_bottom_level;
/* Brings the range into one level and drops what no snapshot can see; waits. NULL for a bound: none. */
LIGHTNING_CALL lightning_error* lightning_compact_range(lightning_db* db, const lightning_keyspace* keyspace,
                                                        const lightning_bytes* start, const lightning_bytes* end,
                                                        int32_t bottom);
LIGHTNING_CALL lightning_error* lightning_wait_for_background_work(lightning_db* db);
/* How many records. exact: whether it is not an estimate; may be NULL. */
LIGHTNING_CALL lightning_error* lightning_count(lightning_db* db, const lightning_keyspace* keyspace, uint64_t* records,
                                                bool* exact);
/* Stored bytes of the range. */
LIGHTNING_CALL lightning_error* lightning_approximate_size(lightning_db* db, const lightning_keyspace* keyspace,
                                                           const lightning_bytes* start, const lightning_bytes* end,
                                                           uint64_t* bytes);

typedef struct lightning_check_options {
  size_t struct_size;
  bool full; /* false: manifest, file sizes and roots only; true: every block and every key */
  /* Called now and then, on the caller's thread or another; false stops with LIGHTNING_ERROR_CANCELLED. May be NULL.
   * It must not throw, nor call the database. */
  bool (*progress)(void* context, uint64_t done_bytes, uint64_t total_bytes);
  void* context;
  uint32_t threads; /* files that are read side by side; 0: one for each core, at most 8 */
} lightning_check_options;
#define LIGHTNING_CHECK_OPTIONS_INIT {sizeof(lightning_check_options), true, NULL, NULL, 1}

/* Verifies what is on disk. What does not hold is in the report; an error means that the check could not run. */
LIGHTNING_CALL lightning_error* lightning_check(lightning_db* db, const lightning_check_options* options,
                                                lightning_check_report** report);
LIGHTNING_API size_t lightning_check_report_findings(const lightning_check_report* report); /* 0: nothing wrong */
/* NULL if index is not below the number of findings. Not to be freed. */
LIGHTNING_API const lightning_error* lightning_check_report_finding(const lightning_check_report* report, size_t index);
/* Indexes that could not be compared with their records, since their extractor is not registered here, and why. The
 * text is empty if index is not below their number. */
LIGHTNING_API size_t lightning_check_report_not_compared(const lightning_check_report* report);
LIGHTNING_API const char* lightning_check_report_not_compared_text(const lightning_check_report* report, size_t index);
/* What was looked at. 0 for NULL. */
LIGHTNING_API uint64_t lightning_check_report_tables(const lightning_check_report* report);
LIGHTNING_API uint64_t lightning_check_report_entries(const lightning_check_report* report);
LIGHTNING_API uint64_t lightning_check_report_blob_files(const lightning_check_report* report);
LIGHTNING_API uint64_t lightning_check_report_blob_records(const lightning_check_report* report);
LIGHTNING_API uint64_t lightning_check_report_blocks(const lightning_check_report* report);
LIGHTNING_API uint64_t lightning_check_report_bytes(const lightning_check_report* report);
LIGHTNING_API void lightning_check_report_free(lightning_check_report* report);

/* --- statistics ---------------------------------------------------------------------------------------------------
 * Counters since the database was opened; from transactions_active to loss_window_bytes, and expiring and expired
 * bytes: what is now. */
typedef struct lightning_statistics {
  uint64_t gets, get_hits, multi_gets, puts, erases, batches, seeks, scanned_entries;
  uint64_t bytes_written_by_user, bytes_read_by_user;
  uint64_t wal_bytes, wal_syncs, flushes, flush_bytes;
  uint64_t compactions, compaction_bytes_read, compaction_bytes_written;
  uint64_t cache_hits, cache_misses;
  uint64_t transactions_committed, transactions_rolled_back, transaction_conflicts, transaction_deadlocks;
  uint64_t transactions_active, last_sequence, live_snapshots, bytes_on_disk, memory_bytes_limit, damaged_tables;
  uint64_t loss_window_bytes; /* acknowledged, and not yet known to be on disk */
  uint64_t merges;
  uint64_t expiring_bytes, expired_bytes; /* in tables: that expire some day; that have expired (at least) */
  uint64_t range_erases;
  uint64_t tombstones_passed;      /* by iterators, as lightning_iterator_tombstones_passed() says */
  uint64_t tables_erased;          /* that went without being read, since they lay wholly under erased ranges */
  uint64_t blob_files, blob_bytes; /* files of large values */
  uint64_t blob_live_bytes, blob_garbage_bytes; /* of the values in them */
  uint64_t blob_collections, blob_bytes_moved, blob_bytes_reclaimed, damaged_blob_files;
} lightning_statistics;

/* size: sizeof(lightning_statistics), of the version that the caller was compiled with. */
LIGHTNING_CALL lightning_error* lightning_read_statistics(lightning_db* db, lightning_statistics* statistics,
                                                          size_t size);

/* All there is: counters, latencies, stalls, memory, transactions, keyspaces with their levels, damaged files. One JSON
 * object in one line, as `lightning_db stats --json` prints it; for lightning_free(). */
LIGHTNING_CALL lightning_error* lightning_statistics_json(lightning_db* db, char** text);

/* --- files --------------------------------------------------------------------------------------------------------*/
typedef enum lightning_file_kind {
  LIGHTNING_FILE_TABLE = 0,
  LIGHTNING_FILE_LOG_SEGMENT = 1,
  LIGHTNING_FILE_MANIFEST = 2,
  LIGHTNING_FILE_BLOB = 3
} lightning_file_kind;
/* What is inside one file of a database directory, fact by fact, each a JSON object in one line ("fact" is its kind)
 * that lives until visit() returns; false ends it. entries: those of tables and blob files, too. Nothing is changed, no
 * lock is taken; a damaged file is read as far as it goes. */
LIGHTNING_CALL lightning_error* lightning_inspect_file(int32_t kind, const char* path, bool entries,
                                                       bool (*visit)(void* context, const char* fact), void* context);

/* --- pool ---------------------------------------------------------------------------------------------------------
 * A database needs no pool to be used from many threads. A pool bounds how many requests work at once, first come,
 * first served, so that under overload they wait in order and fail in time: a session is the right to work. */
typedef struct lightning_pool_options {
  size_t struct_size;
  uint32_t sessions;          /* at a time; 1 .. 1,000,000 */
  uint32_t waiting_max;       /* who comes when so many wait is refused at once; 0: none may wait */
  int64_t acquire_timeout_ms; /* longest wait; 0: never waits */
} lightning_pool_options;
#define LIGHTNING_POOL_OPTIONS_INIT {sizeof(lightning_pool_options), 100, 10000, 30000}

typedef struct lightning_pool_statistics {
  uint64_t sessions_max, in_use, waiting, in_use_most;
  uint64_t acquired, waited, timeouts, refused;
  uint64_t waited_us, waited_us_most;
} lightning_pool_statistics;

LIGHTNING_CALL lightning_error* lightning_pool_create(lightning_db* db, const lightning_pool_options* options,
                                                      lightning_pool** pool);
/* Waits its turn: at most timeout_ms; below 0: as long as the pool's options say. LIGHTNING_ERROR_BUSY when the time is
 * over or too many wait, LIGHTNING_ERROR_CANCELLED if the pool is freed. */
LIGHTNING_CALL lightning_error* lightning_pool_acquire(lightning_pool* pool, int64_t timeout_ms,
                                                       lightning_session** session);
/* size: sizeof(lightning_pool_statistics), of the version that the caller was compiled with. */
LIGHTNING_CALL lightning_error* lightning_pool_read_statistics(const lightning_pool* pool,
                                                               lightning_pool_statistics* statistics, size_t size);
LIGHTNING_API void lightning_session_free(lightning_session* session); /* gives it back */
LIGHTNING_API void lightning_pool_free(lightning_pool* pool);          /* sessions may outlive it */

#ifdef __cplusplus
}
#endif
