/* Open, write, read, scan: quick_start.cc in C. */
#include <lightning/c.h>
#include <stdio.h>

static lightning_error* scan(lightning_db* db) {
  lightning_iterate_options options = LIGHTNING_ITERATE_OPTIONS_INIT;
  options.prefix = (lightning_bytes){"id:", 3};
  lightning_iterator* it = NULL;
  lightning_error* error = lightning_iterate(db, NULL, &options, &it);
  if (error) return error;
  for (lightning_iterator_seek_to_first(it); lightning_iterator_valid(it); lightning_iterator_next(it)) {
    const lightning_bytes key = lightning_iterator_key(it);
    printf("%.*s\n", (int)key.size, (const char*)key.data);
  }
  error = lightning_iterator_status(it); /* an end is only an end if this is NULL */
  lightning_iterator_free(it);
  return error;
}

static lightning_error* run(lightning_db* db) {
  lightning_write_options sync = LIGHTNING_WRITE_OPTIONS_INIT;
  sync.durability = LIGHTNING_DURABILITY_SYNC; /* on disk when the call returns */
  lightning_error* error = lightning_put(db, NULL, "id:7", 4, "paid", 4, &sync);
  if (error) return error;

  lightning_batch* batch = NULL; /* both or neither */
  error = lightning_batch_create(&batch);
  if (!error) error = lightning_batch_put(batch, NULL, "id:8", 4, "open", 4);
  if (!error) error = lightning_batch_erase(batch, NULL, "pending:8", 9);
  if (!error) error = lightning_write(db, batch, NULL, NULL);
  lightning_batch_free(batch);
  if (error) return error;

  void* value = NULL;
  size_t size = 0;
  error = lightning_get(db, NULL, "id:7", 4, NULL, &value, &size);
  if (error) return error;
  printf("id:7 is %.*s\n", (int)size, value ? (const char*)value : "not there");
  lightning_free(value);
  return scan(db);
}

int main(int argc, char** argv) {
  lightning_db* db = NULL;
  lightning_error* error = lightning_open(argc > 1 ? argv[1] : "c-quick-start-data", NULL, &db);
  if (!error) error = run(db);
  if (!error) error = lightning_close(db);
  const int failed = error != NULL;
  if (failed) fprintf(stderr, "%s\n", lightning_error_text(error));
  lightning_error_free(error);
  lightning_db_free(db);
  return failed;
}
