from rpyc_rs import main

if __name__ == "__main__":
    main()
