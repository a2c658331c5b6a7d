//! Classes of the server: made, instantiated, subclassed, looked at.

use rpyc_tests::{Server, better_than_stock};

#[test]
fn a_class_made_by_execute_is_instantiated_and_used() {
    Server::start().check(
        r#"
        conn.execute(dedent('''
            class Account:
                """An account."""
                interest = 2
                def __init__(self, owner, balance=0):
                    self.owner, self.balance = owner, balance
                def deposit(self, amount):
                    self.balance += amount
                    return self
                @property
                def rich(self): return self.balance > 100
                @rich.setter
                def rich(self, value): self.balance = 1000 if value else 0
                @staticmethod
                def currency(): return "EUR"
                @classmethod
                def empty(cls, owner): return cls(owner)
        '''))
        Account = conn.namespace['Account']
        account = Account('me', balance=10)
        same((account.owner, account.balance), ('me', 10))
        assert account.deposit(5) is account
        same((account.balance, account.rich), (15, False))
        account.rich = True
        same((account.balance, account.rich), (1000, True))
        same((Account.currency(), account.currency(), Account.interest), ('EUR', 'EUR', 2))
        same(Account.empty('you').balance, 0)
        same(Account.__name__, 'Account')
        same(type(account).__name__, 'builtins.Account')
        same(Account.__doc__, 'An account.')
        same(account.__dict__['owner'], 'me')
        with raises(TypeError):
            Account()
        "#,
    );
}

#[test]
fn attributes_are_set_and_deleted() {
    Server::start().check(
        r#"
        conn.execute('class Bag: shared = 1')
        bag = conn.eval('Bag()')
        bag.x = 5
        bag.mine = mine = ['of the client']
        same(bag.x, 5)
        assert bag.mine is mine
        del bag.x
        with raises(AttributeError):
            bag.x
        with raises(AttributeError):
            del bag.x
        Bag = conn.namespace['Bag']
        Bag.shared = 2
        same(bag.shared, 2)
        assert hasattr(bag, 'shared') and not hasattr(bag, 'absent')
        same(getattr(bag, 'absent', 'default'), 'default')
        setattr(bag, 'größe', 3)
        same(getattr(bag, 'größe'), 3)
        bag._private = 1
        bag.__dunder__ = 2
        same((bag._private, bag.__dunder__), (1, 2))
        with raises((AttributeError, TypeError)):
            conn.builtins.list.extra = 1
        with raises(AttributeError):
            conn.eval('object()').x = 1
        "#,
    );
}

#[test]
fn classes_are_subclassed_at_the_server() {
    Server::start().check(
        r#"
        conn.execute(dedent('''
            class Base:
                def __init__(self, x): self.x = x
                def describe(self): return f"{type(self).__name__}({self.x})"
            class Derived(Base):
                def describe(self): return "derived " + super().describe()
            class Meta(type):
                def __len__(cls): return 7
                def extra(cls): return cls.__name__
            class WithMeta(metaclass=Meta): pass
        '''))
        Base, Derived = conn.eval('Base'), conn.eval('Derived')
        same(Derived(3).describe(), 'derived Derived(3)')
        assert conn.builtins.issubclass(Derived, Base) and not conn.builtins.issubclass(Base, Derived)
        Third = conn.builtins.type('Third', (Derived,), conn.builtins.dict(__module__='third', more=4))
        same((Third(1).more, Third(1).describe()), (4, 'derived Third(1)'))
        same([c.__name__ for c in Third.__mro__], ['Third', 'Derived', 'Base', 'object'])
        same((len(conn.eval('WithMeta')), conn.eval('WithMeta').extra()), (7, 'WithMeta'))
        "#,
    );
}

#[test]
fn isinstance_works_with_remote_classes() {
    Server::start().check(
        r#"
        conn.execute(dedent('''
            class Base: pass
            class Derived(Base): pass
        '''))
        Base, Derived = conn.eval('Base'), conn.eval('Derived')
        base, derived = Base(), Derived()
        assert isinstance(base, Base) and isinstance(derived, Derived)
        assert not isinstance(base, Derived)
        assert not isinstance(conn.eval('[]'), Base)
        with raises(TypeError):
            isinstance(base, derived)
        "#,
    );
}

#[test]
fn isinstance_sees_the_base_classes_of_a_remote_class() {
    if better_than_stock("it compares the classes themselves only") {
        return;
    }
    Server::start().check(
        r#"
        conn.execute(dedent('''
            import abc
            class Base: pass
            class Derived(Base): pass
            class Virtual(abc.ABC): pass
            Virtual.register(Derived)
        '''))
        derived = conn.eval('Derived()')
        assert isinstance(derived, conn.eval('Base'))
        assert isinstance(derived, conn.eval('Virtual'))
        assert not isinstance(conn.eval('Base()'), conn.eval('Virtual'))
        "#,
    );
}

#[test]
fn remote_builtins_pass_for_the_clients_own_types() {
    Server::start().check(
        r#"
        import inspect, types
        assert isinstance(conn.modules.sys.path, list)
        assert isinstance(conn.modules.os.environ.copy(), dict)
        for text, kind in (('[]', list), ('{}', dict), ('set()', set), ('bytearray()', bytearray), ('object()', object),
                           ('(i for i in ())', types.GeneratorType), ('lambda: 0', types.FunctionType),
                           ('len', types.BuiltinFunctionType), ('[].append', types.BuiltinFunctionType),
                           ('int', type), ('ValueError()', ValueError)):
            assert isinstance(conn.eval(text), kind), text
        assert not isinstance(conn.eval('[]'), dict)
        assert isinstance(conn.modules.sys, types.ModuleType)
        assert conn.eval('[]').__class__ is list
        assert inspect.isbuiltin(conn.modules.sys.exit)
        assert inspect.isbuiltin(conn.builtins.len)
        conn.execute('def f(a, b=2): pass\nclass C:\n    def m(self): pass\n')
        assert inspect.isfunction(conn.eval('f')) and not inspect.isbuiltin(conn.eval('f'))
        assert inspect.isfunction(conn.eval('C.m'))
        assert inspect.ismethod(conn.eval('C().m'))
        assert inspect.ismodule(conn.modules.os)
        assert inspect.isclass(conn.eval('C'))
        same(str(inspect.signature(conn.eval('f'))), '(a, b=2)')
        same(conn.eval('f').__name__, 'f')
        same(conn.eval('f').__code__.co_varnames, ('a', 'b'))
        "#,
    );
}

#[test]
fn type_names_are_those_of_the_remote_object() {
    Server::start().check(
        r#"
        same(type(conn.eval('[]')).__name__, 'builtins.list')
        same(repr(type(conn.modules.sys.path)), "<netref class 'rpyc.core.netref.builtins.list'>")
        same(type(conn.modules.sys).__name__, 'sys')
        conn.execute('class Thing:\n    __module__ = "somewhere"')
        same(type(conn.eval('Thing()')).__name__, 'somewhere.Thing')
        same(type(conn.eval('Thing')).__name__, 'somewhere.Thing')
        "#,
    );
}

#[test]
fn a_class_without_a_module_is_no_trouble() {
    if better_than_stock("the reference to its instance ends the connection") {
        return;
    }
    Server::start().check(
        r#"
        number = conn.eval("type('Number', (int,), {})(3)")
        same(number + 1, 4)
        conn.ping()
        "#,
    );
}

#[test]
fn abstract_and_slotted_classes_and_descriptors_work() {
    Server::start().check(
        r#"
        conn.execute(dedent('''
            import abc
            class Shape(abc.ABC):
                @abc.abstractmethod
                def area(self): ...
            class Square(Shape):
                __slots__ = ("side",)
                def __init__(self, side): self.side = side
                def area(self): return self.side ** 2
            class Dynamic:
                def __getattr__(self, name):
                    if name.startswith("dyn_"): return name[4:]
                    raise AttributeError(name)
                def __setattr__(self, name, value):
                    object.__setattr__(self, name, ("set", value))
        '''))
        with raises(TypeError):
            conn.eval('Shape')()
        square = conn.eval('Square')(3)
        same(square.area(), 9)
        assert isinstance(square, conn.eval('Square'))
        d = conn.eval('Dynamic()')
        same(d.dyn_x, 'x')
        d.y = 2
        same(d.y, ('set', 2))
        with raises(AttributeError):
            d.z
        "#,
    );
}

#[test]
fn a_class_decides_by_the_rpyc_methods_who_may_do_what() {
    Server::start().check(
        r#"
        conn.execute(dedent('''
            class Guarded:
                def __init__(self): self.safe_x, self.other = 1, 2
                def _rpyc_getattr(self, name):
                    if name.startswith("safe_"): return object.__getattribute__(self, name)
                    raise AttributeError(name)
                def _rpyc_setattr(self, name, value):
                    if not name.startswith("safe_"): raise AttributeError(name)
                    self.__dict__[name] = value
                def _rpyc_delattr(self, name):
                    raise AttributeError("never")
        '''))
        g = conn.eval('Guarded()')
        conn.namespace['g'] = g
        same(g.safe_x, 1)
        g.safe_y = 5
        same(g.safe_y, 5)
        with raises(AttributeError):
            g.other
        with raises(AttributeError):
            g.other = 3
        with raises(AttributeError, 'never'):
            del g.safe_x
        same(conn.eval('(g.safe_x, g.other)'), (1, 2))
        "#,
    );
}

#[test]
fn an_object_is_an_instance_of_its_class_on_another_connection() {
    Server::start().check(
        r#"
        conn2 = connect()
        half = conn.modules.fractions.Fraction(1, 2)
        assert isinstance(half, conn2.modules.fractions.Fraction)
        assert not isinstance(half, conn2.modules.decimal.Decimal)
        assert isinstance(conn.modules.logging.getLogger('x'), conn2.modules.logging.Logger)
        conn2.close()
        conn3 = connect()
        assert isinstance(half, conn3.modules.fractions.Fraction)
        "#,
    );
}

#[test]
fn a_clients_object_is_an_instance_of_the_abstract_classes_whose_methods_it_has() {
    Server::start().check(
        r#"
        class Own:
            pass
        class Series:
            def __iter__(self): return iter((1, 2))
            def __len__(self): return 2
        conn.execute(dedent('''
            import abc, collections.abc, io, numbers
            class Mine(abc.ABC):
                pass
            class Lists(abc.ABC):
                pass
            Lists.register(list)
        '''))
        for theirs, names in (
            (Own(), {'Hashable'}),
            (Series(), {'Hashable', 'Iterable', 'Sized'}),
            ([], {'Hashable', 'Iterable', 'Sized', 'Sequence', 'Lists'}),
            (Own, {'Hashable'}),
        ):
            conn.namespace['theirs'] = theirs
            for name in 'Hashable Iterable Sized Sequence Mapping'.split():
                same((name, conn.eval(f'isinstance(theirs, collections.abc.{name})')), (name, name in names))
            same(conn.eval('isinstance(theirs, Lists)'), 'Lists' in names)
            same(conn.eval('isinstance(theirs, (int, Mine, numbers.Number, io.IOBase))'), False)
            same(conn.eval('isinstance(theirs, (Mine, object))'), True)
        "#,
    );
}
