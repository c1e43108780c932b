# bash completion for lightning_db; made by `lightning_db completion bash`
_lightning_db() {
  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]} words
  case $previous in
    --path) mapfile -t COMPREPLY < <(compgen -d -- "$current"); return ;;
    --config|--input|--output|--value-file) mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
    --preset) mapfile -t COMPREPLY < <(compgen -W 'production high_throughput high_durability low_memory' -- "$current"); return ;;
    --format) mapfile -t COMPREPLY < <(compgen -W 'jsonl csv tsv dump' -- "$current"); return ;;
  esac
  if [[ $COMP_CWORD -eq 1 ]]; then
    words='put get delete merge ttl keyspace scan count import export index check compact recover repair backup restore archive stats config bench inspect version help completion --help --version'
  else
    case ${COMP_WORDS[1]} in
    put) words='--help --path --keyspace --config --preset --set --json --value-file --ttl --sync' ;;
    get) words='--help --path --keyspace --config --preset --set --json --output --raw --number --hex --base64' ;;
    delete) words='--help --path --keyspace --config --preset --set --json --prefix --start --end --all --sync' ;;
    merge) words='--help --path --keyspace --config --preset --set --json --sync' ;;
    ttl) words='--help --path --keyspace --config --preset --set --json' ;;
    keyspace) words='--help --path --keyspace --config --preset --set --json --merge-operator --default-ttl --counted --blob-threshold' ;;
    scan) words='--help --path --keyspace --config --preset --set --json --prefix --start --end --limit --reverse --keys-only --hex --base64 --escape' ;;
    count) words='--help --path --keyspace --config --preset --set --json --prefix --start --end --exact --estimate --bytes' ;;
    import) words='--help --path --keyspace --config --preset --set --json --input --format --on-error --key-column --value-column --progress' ;;
    export) words='--help --path --keyspace --config --preset --set --json --output --format --prefix --start --end --key-column --value-column --text-columns --progress' ;;
    index) words='--help --path --keyspace --config --preset --set --json --json-pointer --bytes --field --delimiter --of-key --unique --leave-out --equals --prefix --from --to --limit --after --reverse --values' ;;
    check) words='--help --path --keyspace --config --preset --set --json --quick --threads' ;;
    compact) words='--help --path --keyspace --config --preset --set --json --start --end --rewrite' ;;
    recover) words='--help --path --keyspace --config --preset --set --json --dry-run --from --archive --to' ;;
    repair) words='--help --path --keyspace --config --preset --set --json --to' ;;
    backup) words='--help --path --keyspace --config --preset --set --json --to --check-shared --from --number --keep --rate' ;;
    restore) words='--help --path --keyspace --config --preset --set --json --from --number --only --replace --rate' ;;
    archive) words='--help --path --keyspace --config --preset --set --json' ;;
    stats) words='--help --path --keyspace --config --preset --set --json' ;;
    config) words='--help --path --keyspace --config --preset --set --json --describe' ;;
    bench) words='--help --path --keyspace --config --preset --set --json --workload --num --threads --key-size --value-size --batch-size --sync --seed' ;;
    inspect) words='--help --path --keyspace --config --preset --set --json --entries' ;;
    version) words='--help --path --keyspace --config --preset --set --json --features' ;;
    help) words='--help --path --keyspace --config --preset --set --json' ;;
    completion) words='--help --path --keyspace --config --preset --set --json' ;;
    *) words='' ;;
    esac
  fi
  if [[ ${COMP_WORDS[1]} == completion && $COMP_CWORD -eq 2 ]]; then words='bash zsh fish'; fi
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}
complete -o default -F _lightning_db lightning_db
