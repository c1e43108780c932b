/* What programs were compiled with, on a 64-bit machine: compiling this fails if a value, a place or a size has
 * changed. New fields come at the end of a struct, new values behind the others; what stands here stays. */
#include <lightning/c.h>

#define HOLDS(what) _Static_assert(what, #what)
#define AT(type, field, offset) HOLDS(offsetof(type, field) == (offset))

HOLDS(LIGHTNING_OK == 0);
HOLDS(LIGHTNING_ERROR_INVALID_ARGUMENT == 1001);
HOLDS(LIGHTNING_ERROR_KEY_EMPTY == 1002);
HOLDS(LIGHTNING_ERROR_KEY_TOO_LARGE == 1003);
HOLDS(LIGHTNING_ERROR_VALUE_TOO_LARGE == 1004);
HOLDS(LIGHTNING_ERROR_BATCH_TOO_LARGE == 1005);
HOLDS(LIGHTNING_ERROR_INVERTED_RANGE == 1006);
HOLDS(LIGHTNING_ERROR_READ_ONLY_DATABASE == 1007);
HOLDS(LIGHTNING_ERROR_CONFIG_INVALID == 1008);
HOLDS(LIGHTNING_ERROR_KEYSPACE_NOT_FOUND == 1009);
HOLDS(LIGHTNING_ERROR_KEYSPACE_EXISTS == 1010);
HOLDS(LIGHTNING_ERROR_DATABASE_NOT_FOUND == 1011);
HOLDS(LIGHTNING_ERROR_DATABASE_EXISTS == 1012);
HOLDS(LIGHTNING_ERROR_NOT_A_DATABASE == 1013);
HOLDS(LIGHTNING_ERROR_NOT_SUPPORTED == 1014);
HOLDS(LIGHTNING_ERROR_INPUT_MALFORMED == 1015);
HOLDS(LIGHTNING_ERROR_CLOSED == 1016);
HOLDS(LIGHTNING_ERROR_KEY_NOT_FOUND == 1017);
HOLDS(LIGHTNING_ERROR_TRANSACTION_ENDED == 1018);
HOLDS(LIGHTNING_ERROR_TRANSACTION_TOO_LARGE == 1019);
HOLDS(LIGHTNING_ERROR_READ_ONLY_TRANSACTION == 1020);
HOLDS(LIGHTNING_ERROR_MERGE_OPERATOR_MISSING == 1021);
HOLDS(LIGHTNING_ERROR_MERGE_FAILED == 1022);
HOLDS(LIGHTNING_ERROR_INDEX_NOT_FOUND == 1040);
HOLDS(LIGHTNING_ERROR_INDEX_EXISTS == 1041);
HOLDS(LIGHTNING_ERROR_NOT_UNIQUE == 1042);
HOLDS(LIGHTNING_ERROR_EXTRACT_FAILED == 1043);
HOLDS(LIGHTNING_ERROR_EXTRACTOR_MISSING == 1044);
HOLDS(LIGHTNING_ERROR_BACKUP_NOT_FOUND == 1060);
HOLDS(LIGHTNING_ERROR_LOCK_HELD == 2001);
HOLDS(LIGHTNING_ERROR_BUSY == 2002);
HOLDS(LIGHTNING_ERROR_STALLED == 2003);
HOLDS(LIGHTNING_ERROR_CANCELLED == 2004);
HOLDS(LIGHTNING_ERROR_RECOVERY_INTERRUPTED == 2005);
HOLDS(LIGHTNING_ERROR_CONFLICT == 2006);
HOLDS(LIGHTNING_ERROR_DEADLOCK == 2007);
HOLDS(LIGHTNING_ERROR_LOCK_TIMEOUT == 2008);
HOLDS(LIGHTNING_ERROR_TRANSACTION_EXPIRED == 2009);
HOLDS(LIGHTNING_ERROR_TOO_MANY_TRANSACTIONS == 2010);
HOLDS(LIGHTNING_ERROR_SNAPSHOT_TOO_OLD == 2011);
HOLDS(LIGHTNING_ERROR_INDEX_NOT_READY == 2020);
HOLDS(LIGHTNING_ERROR_IO == 3001);
HOLDS(LIGHTNING_ERROR_NO_SPACE == 3002);
HOLDS(LIGHTNING_ERROR_PERMISSION_DENIED == 3003);
HOLDS(LIGHTNING_ERROR_STORAGE_UNAVAILABLE == 3004);
HOLDS(LIGHTNING_ERROR_INSUFFICIENT_RESOURCES == 3005);
HOLDS(LIGHTNING_ERROR_FORMAT_UNSUPPORTED == 3006);
HOLDS(LIGHTNING_ERROR_OUT_OF_MEMORY == 3007);
HOLDS(LIGHTNING_ERROR_READ_ONLY_MODE == 3008);
HOLDS(LIGHTNING_ERROR_CORRUPTION == 4001);
HOLDS(LIGHTNING_ERROR_SYNC_FAILED == 4002);
HOLDS(LIGHTNING_ERROR_TABLE_MISSING == 4003);
HOLDS(LIGHTNING_ERROR_TABLE_CORRUPT == 4004);
HOLDS(LIGHTNING_ERROR_WAL_MISSING == 4005);
HOLDS(LIGHTNING_ERROR_WAL_CORRUPT == 4006);
HOLDS(LIGHTNING_ERROR_MANIFEST_CORRUPT == 4007);
HOLDS(LIGHTNING_ERROR_INCONSISTENT_STATE == 4008);
HOLDS(LIGHTNING_ERROR_BLOB_MISSING == 4009);
HOLDS(LIGHTNING_ERROR_BLOB_CORRUPT == 4010);
HOLDS(LIGHTNING_ERROR_BACKUP_CORRUPT == 4020);
HOLDS(LIGHTNING_ERROR_INTERNAL == 4099);

HOLDS(LIGHTNING_CATEGORY_CRITICAL == 0);
HOLDS(LIGHTNING_CATEGORY_RETRYABLE == 1);
HOLDS(LIGHTNING_CATEGORY_RECOVERABLE == 2);
HOLDS(LIGHTNING_CATEGORY_CALLER_FAULT == 3);

HOLDS(LIGHTNING_NOT_APPLIED == 0);
HOLDS(LIGHTNING_APPLIED == 1);
HOLDS(LIGHTNING_OUTCOME_UNKNOWN == 2);

HOLDS(LIGHTNING_DURABILITY_DEFAULT == 0);
HOLDS(LIGHTNING_DURABILITY_ASYNC == 1);
HOLDS(LIGHTNING_DURABILITY_SYNC == 2);

HOLDS(LIGHTNING_READ_COMMITTED == 0);
HOLDS(LIGHTNING_ISOLATION_SNAPSHOT == 1);
HOLDS(LIGHTNING_SERIALIZABLE == 2);

HOLDS(LIGHTNING_OPTIMISTIC == 0);
HOLDS(LIGHTNING_PESSIMISTIC == 1);

HOLDS(LIGHTNING_TRANSACTION_ACTIVE == 0);
HOLDS(LIGHTNING_TRANSACTION_COMMITTED == 1);
HOLDS(LIGHTNING_TRANSACTION_ROLLED_BACK == 2);
HOLDS(LIGHTNING_TRANSACTION_EXPIRED == 3);
HOLDS(LIGHTNING_TRANSACTION_UNKNOWN == 4);

HOLDS(LIGHTNING_FILE_TABLE == 0);
HOLDS(LIGHTNING_FILE_LOG_SEGMENT == 1);
HOLDS(LIGHTNING_FILE_MANIFEST == 2);
HOLDS(LIGHTNING_FILE_BLOB == 3);

HOLDS(LIGHTNING_BOTTOM_LEAVE == 0);
HOLDS(LIGHTNING_BOTTOM_RECLAIM == 1);
HOLDS(LIGHTNING_BOTTOM_REWRITE == 2);

AT(lightning_bytes, data, 0);
AT(lightning_bytes, size, 8);
HOLDS(sizeof(lightning_bytes) >= 16);

AT(lightning_keyspace_options, struct_size, 0);
AT(lightning_keyspace_options, merge_operator, 8);
AT(lightning_keyspace_options, default_ttl_ms, 16);
AT(lightning_keyspace_options, counted, 24);
AT(lightning_keyspace_options, blob_threshold, 32);
HOLDS(sizeof(lightning_keyspace_options) >= 40);

AT(lightning_write_options, struct_size, 0);
AT(lightning_write_options, durability, 8);
AT(lightning_write_options, ttl_ms, 16);
AT(lightning_write_options, expires_at_ms, 24);
HOLDS(sizeof(lightning_write_options) >= 32);
HOLDS(LIGHTNING_NEVER_EXPIRES == INT64_MAX);

AT(lightning_read_options, struct_size, 0);
AT(lightning_read_options, snapshot, 8);
AT(lightning_read_options, fill_cache, 16);
HOLDS(sizeof(lightning_read_options) >= 24);

AT(lightning_iterate_options, struct_size, 0);
AT(lightning_iterate_options, snapshot, 8);
AT(lightning_iterate_options, lower_bound, 16);
AT(lightning_iterate_options, upper_bound, 32);
AT(lightning_iterate_options, prefix, 48);
AT(lightning_iterate_options, fill_cache, 64);
HOLDS(sizeof(lightning_iterate_options) >= 72);

AT(lightning_transaction_options, struct_size, 0);
AT(lightning_transaction_options, isolation, 8);
AT(lightning_transaction_options, concurrency, 12);
AT(lightning_transaction_options, durability, 16);
AT(lightning_transaction_options, read_only, 20);
AT(lightning_transaction_options, owner, 24);
AT(lightning_transaction_options, lock_timeout_ms, 32);
AT(lightning_transaction_options, idle_timeout_ms, 40);
AT(lightning_transaction_options, total_timeout_ms, 48);
HOLDS(sizeof(lightning_transaction_options) >= 56);

AT(lightning_retry_options, struct_size, 0);
AT(lightning_retry_options, retries, 8);
AT(lightning_retry_options, backoff_us, 16);
AT(lightning_retry_options, backoff_max_us, 24);
HOLDS(sizeof(lightning_retry_options) >= 32);

AT(lightning_transaction_info, id, 0);
AT(lightning_transaction_info, owner, 8);
AT(lightning_transaction_info, isolation, 16);
AT(lightning_transaction_info, concurrency, 20);
AT(lightning_transaction_info, read_only, 24);
AT(lightning_transaction_info, age_ms, 32);
AT(lightning_transaction_info, idle_ms, 40);
AT(lightning_transaction_info, snapshot, 48);
AT(lightning_transaction_info, writes_since, 56);
AT(lightning_transaction_info, pinned_bytes, 64);
AT(lightning_transaction_info, bytes, 72);
AT(lightning_transaction_info, locks, 80);
AT(lightning_transaction_info, waits_for, 88);
HOLDS(sizeof(lightning_transaction_info) >= 96);

AT(lightning_snapshot_info, sequence, 0);
AT(lightning_snapshot_info, owner, 8);
AT(lightning_snapshot_info, transaction, 16);
AT(lightning_snapshot_info, age_ms, 24);
AT(lightning_snapshot_info, writes_since, 32);
AT(lightning_snapshot_info, pinned_bytes, 40);
HOLDS(sizeof(lightning_snapshot_info) >= 48);

AT(lightning_savepoint, opaque, 0);
HOLDS(sizeof(lightning_savepoint) >= 16);

HOLDS(LIGHTNING_EXTRACT_JSON_POINTER == 0);
HOLDS(LIGHTNING_EXTRACT_BYTES == 1);
HOLDS(LIGHTNING_EXTRACT_FIELD == 2);
HOLDS(LIGHTNING_EXTRACT_USER == 3);
HOLDS(LIGHTNING_INDEX_BUILDING == 0);
HOLDS(LIGHTNING_INDEX_READY == 1);
HOLDS(LIGHTNING_INDEX_FAILED == 2);
HOLDS(LIGHTNING_VALUE_NONE == 0);
HOLDS(LIGHTNING_VALUE_BOOLEAN == 1);
HOLDS(LIGHTNING_VALUE_INTEGER == 2);
HOLDS(LIGHTNING_VALUE_UNSIGNED == 3);
HOLDS(LIGHTNING_VALUE_NUMBER == 4);
HOLDS(LIGHTNING_VALUE_STRING == 5);
AT(lightning_index_options, struct_size, 0);
AT(lightning_index_options, extractor, 8);
AT(lightning_index_options, json_pointer, 16);
AT(lightning_index_options, offset, 24);
AT(lightning_index_options, bytes, 28);
AT(lightning_index_options, field, 32);
AT(lightning_index_options, delimiter, 36);
AT(lightning_index_options, of_key, 37);
AT(lightning_index_options, unique, 38);
AT(lightning_index_options, leave_out, 39);
AT(lightning_index_options, background, 40);
AT(lightning_index_options, progress, 48);
AT(lightning_index_options, context, 56);
AT(lightning_index_options, user_extractor, 64);
HOLDS(sizeof(lightning_index_options) >= 72);
AT(lightning_index_value, kind, 0);
AT(lightning_index_value, boolean, 4);
AT(lightning_index_value, integer, 8);
AT(lightning_index_value, unsigned_integer, 16);
AT(lightning_index_value, number, 24);
AT(lightning_index_value, string, 32);
HOLDS(sizeof(lightning_index_value) == 48); /* it lies inside others */
AT(lightning_index_query, struct_size, 0);
AT(lightning_index_query, from, 8);
AT(lightning_index_query, to, 56);
AT(lightning_index_query, from_exclusive, 104);
AT(lightning_index_query, to_exclusive, 105);
AT(lightning_index_query, prefix, 112);
AT(lightning_index_query, reverse, 128);
AT(lightning_index_query, with_records, 129);
AT(lightning_index_query, limit, 132);
AT(lightning_index_query, continuation, 136);
AT(lightning_index_query, snapshot, 152);
HOLDS(sizeof(lightning_index_query) >= 160);

AT(lightning_index_info, keyspace, 0);
AT(lightning_index_info, name, 16);
AT(lightning_index_info, extractor, 32);
AT(lightning_index_info, json_pointer, 40);
AT(lightning_index_info, offset, 48);
AT(lightning_index_info, bytes, 52);
AT(lightning_index_info, field, 56);
AT(lightning_index_info, delimiter, 60);
AT(lightning_index_info, of_key, 61);
AT(lightning_index_info, user_extractor, 64);
AT(lightning_index_info, unique, 72);
AT(lightning_index_info, leave_out, 73);
AT(lightning_index_info, state, 76);
AT(lightning_index_info, records, 80);
AT(lightning_index_info, records_total, 88);
AT(lightning_index_info, error, 96);
AT(lightning_index_info, stored_bytes, 104);
HOLDS(sizeof(lightning_index_info) >= 112);

AT(lightning_merge_operator, struct_size, 0);
AT(lightning_merge_operator, name, 8);
AT(lightning_merge_operator, context, 16);
AT(lightning_merge_operator, destroy, 24);
AT(lightning_merge_operator, check, 32);
AT(lightning_merge_operator, merge, 40);
AT(lightning_merge_operator, combine, 48);
HOLDS(sizeof(lightning_merge_operator) >= 56);

AT(lightning_user_extractor, struct_size, 0);
AT(lightning_user_extractor, name, 8);
AT(lightning_user_extractor, context, 16);
AT(lightning_user_extractor, destroy, 24);
AT(lightning_user_extractor, extract, 32);
HOLDS(sizeof(lightning_user_extractor) >= 40);

AT(lightning_check_options, struct_size, 0);
AT(lightning_check_options, full, 8);
AT(lightning_check_options, progress, 16);
AT(lightning_check_options, context, 24);
AT(lightning_check_options, threads, 32);
HOLDS(sizeof(lightning_check_options) >= 32);

AT(lightning_statistics, gets, 0);
AT(lightning_statistics, get_hits, 8);
AT(lightning_statistics, multi_gets, 16);
AT(lightning_statistics, puts, 24);
AT(lightning_statistics, erases, 32);
AT(lightning_statistics, batches, 40);
AT(lightning_statistics, seeks, 48);
AT(lightning_statistics, scanned_entries, 56);
AT(lightning_statistics, bytes_written_by_user, 64);
AT(lightning_statistics, bytes_read_by_user, 72);
AT(lightning_statistics, wal_bytes, 80);
AT(lightning_statistics, wal_syncs, 88);
AT(lightning_statistics, flushes, 96);
AT(lightning_statistics, flush_bytes, 104);
AT(lightning_statistics, compactions, 112);
AT(lightning_statistics, compaction_bytes_read, 120);
AT(lightning_statistics, compaction_bytes_written, 128);
AT(lightning_statistics, cache_hits, 136);
AT(lightning_statistics, cache_misses, 144);
AT(lightning_statistics, transactions_committed, 152);
AT(lightning_statistics, transactions_rolled_back, 160);
AT(lightning_statistics, transaction_conflicts, 168);
AT(lightning_statistics, transaction_deadlocks, 176);
AT(lightning_statistics, transactions_active, 184);
AT(lightning_statistics, last_sequence, 192);
AT(lightning_statistics, live_snapshots, 200);
AT(lightning_statistics, bytes_on_disk, 208);
AT(lightning_statistics, memory_bytes_limit, 216);
AT(lightning_statistics, damaged_tables, 224);
AT(lightning_statistics, loss_window_bytes, 232);
AT(lightning_statistics, merges, 240);
AT(lightning_statistics, expiring_bytes, 248);
AT(lightning_statistics, expired_bytes, 256);
AT(lightning_statistics, range_erases, 264);
AT(lightning_statistics, tombstones_passed, 272);
AT(lightning_statistics, tables_erased, 280);
AT(lightning_statistics, blob_files, 288);
AT(lightning_statistics, blob_bytes, 296);
AT(lightning_statistics, blob_live_bytes, 304);
AT(lightning_statistics, blob_garbage_bytes, 312);
AT(lightning_statistics, blob_collections, 320);
AT(lightning_statistics, blob_bytes_moved, 328);
AT(lightning_statistics, blob_bytes_reclaimed, 336);
AT(lightning_statistics, damaged_blob_files, 344);
HOLDS(sizeof(lightning_statistics) >= 352);

AT(lightning_pool_options, struct_size, 0);
AT(lightning_pool_options, sessions, 8);
AT(lightning_pool_options, waiting_max, 12);
AT(lightning_pool_options, acquire_timeout_ms, 16);
HOLDS(sizeof(lightning_pool_options) >= 24);

AT(lightning_pool_statistics, sessions_max, 0);
AT(lightning_pool_statistics, in_use, 8);
AT(lightning_pool_statistics, waiting, 16);
AT(lightning_pool_statistics, in_use_most, 24);
AT(lightning_pool_statistics, acquired, 32);
AT(lightning_pool_statistics, waited, 40);
AT(lightning_pool_statistics, timeouts, 48);
AT(lightning_pool_statistics, refused, 56);
AT(lightning_pool_statistics, waited_us, 64);
AT(lightning_pool_statistics, waited_us_most, 72);
HOLDS(sizeof(lightning_pool_statistics) >= 80);

/* These have no struct_size: they cannot grow. */
HOLDS(sizeof(lightning_bytes) == 16);
HOLDS(sizeof(lightning_savepoint) == 16);
HOLDS(LIGHTNING_C_ABI_VERSION == 1);

/* A translation unit is not empty, and the INIT macros are C11. */
const lightning_write_options lightning_abi_write_options = LIGHTNING_WRITE_OPTIONS_INIT;
const lightning_read_options lightning_abi_read_options = LIGHTNING_READ_OPTIONS_INIT;
const lightning_iterate_options lightning_abi_iterate_options = LIGHTNING_ITERATE_OPTIONS_INIT;
const lightning_keyspace_options lightning_abi_keyspace_options = LIGHTNING_KEYSPACE_OPTIONS_INIT;
const lightning_transaction_options lightning_abi_transaction_options = LIGHTNING_TRANSACTION_OPTIONS_INIT;
const lightning_retry_options lightning_abi_retry_options = LIGHTNING_RETRY_OPTIONS_INIT;
const lightning_index_options lightning_abi_index_options = LIGHTNING_INDEX_OPTIONS_INIT;
const lightning_merge_operator lightning_abi_merge_operator = LIGHTNING_MERGE_OPERATOR_INIT;
const lightning_user_extractor lightning_abi_user_extractor = LIGHTNING_USER_EXTRACTOR_INIT;
const lightning_check_options lightning_abi_check_options = LIGHTNING_CHECK_OPTIONS_INIT;
