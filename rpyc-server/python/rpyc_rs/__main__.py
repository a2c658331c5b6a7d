from rpyc_rs import main

main()
